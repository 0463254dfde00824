"""Fixtures of the engine tests: a temporary folder of their own, and one Ray for all tests of a module."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

OLD_RAY = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:ray", "ignore::FutureWarning:ray", "ignore:The minimum number of concurrent actors"
)
"""What Ray itself does by a name that it has deprecated is not ours to fix; nor that a small input has one split."""

ENGINES = [pytest.param("local", id="local"), pytest.param("ray", id="ray", marks=[pytest.mark.slow, OLD_RAY])]


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Spools go to a folder of this test, so that what a run leaves behind is seen; its name is short for sockets.

    It asks for `tmp_path` so that pytest has made its own folders before.
    """
    folder = Path(tempfile.mkdtemp(prefix="t", dir="/tmp"))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Both engines; the tests on Ray share one cluster of a module and are slow."""
    if request.param == "ray":
        request.getfixturevalue("ray_cluster")
    return str(request.param)


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[None]:
    """A small Ray in this process; runs use what is there and leave it running."""
    ray = import_ray()
    ray.init("local", num_cpus=8, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


def import_ray() -> Any:
    """Ray, imported as the engine does, with its token where no single test removes it."""
    from mega_data_factory.framework.engines.ray.environment import prepare_ray

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", None)
        prepare_ray(None)
    import ray

    return ray


@pytest.fixture
def python_path(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment in which a subprocess finds this package and these tests."""
    root = Path(__file__).parents[2]
    return {**os.environ, "PYTHONPATH": str(root)}
