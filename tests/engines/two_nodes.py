"""A Ray cluster of two nodes on this machine, for tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.engines.conftest import import_ray


@dataclass
class TwoNodes:
    """A cluster of this machine.

    Attributes:
        cluster: Ray's handle of it.
        second: The node that is not its head.
        ray: The package.
        folder: Folder of what is written on the nodes.
    """

    cluster: Any
    second: Any
    ray: Any
    folder: Path


@contextmanager
def two_nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoNodes]:
    """Start a head and one more node, of two CPUs each; what is written on them goes below a folder of their own."""
    ray = import_ray()  # before the folder: its token must outlive it
    folder = tempfile.mkdtemp(prefix="n", dir="/tmp")
    monkeypatch.setenv("TMPDIR", folder)
    from ray.cluster_utils import Cluster

    made = Cluster()
    try:
        made.add_node(num_cpus=2, include_dashboard=False)
        second = made.add_node(num_cpus=2)
        made.wait_for_nodes()
        yield TwoNodes(made, second, ray, Path(folder))
    finally:
        ray.shutdown()
        made.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
