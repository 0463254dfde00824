"""A temporary folder of their own for the runs of these tests, so that what they leave behind is theirs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.conftest import ray_cluster as ray_cluster


@pytest.fixture(scope="module", autouse=True)
def own_temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Spools go to a folder of this module; its name is short for sockets."""
    tmp_path_factory.getbasetemp()  # pytest's own folders are made before
    folder = Path(tempfile.mkdtemp(prefix="t", dir="/tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        yield
    shutil.rmtree(folder, ignore_errors=True)
