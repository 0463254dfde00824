"""One Superset for all tests of a file that need the real one: it ends with the last of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.superset import history
from tests.superset.server import Superset, serving


@pytest.fixture(scope="module")
def superset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Superset]:
    folder = tmp_path_factory.mktemp("superset")
    metrics = folder / "metrics"
    history.write_month(metrics)
    with serving(folder, metrics) as server:
        yield server
