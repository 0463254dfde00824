"""A process that has read Parquet, on a thread too, ends in peace."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

READ = """
import sys, threading
import pyarrow.parquet as pq
from mega_data_factory import storage

def read():
    for _ in range(2):
        {way}

thread = threading.Thread(target=read)
thread.start()
thread.join()
"""
WAYS = {
    "open_input": "with storage.open_input(sys.argv[1]) as file: pq.read_table(file)",
    "open_parquet": "with storage.open_parquet(sys.argv[1]) as file: file.read(use_threads=False)",
    "read_parquet": "storage.read_parquet(sys.argv[1])",
}


def failures(way: str, file: Path, times: int) -> int:
    command = [sys.executable, "-c", READ.format(way=WAYS[way]), str(file)]
    return sum(subprocess.run(command, capture_output=True, check=False).returncode != 0 for _ in range(times))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    pq.write_table(pa.table({"a": list(range(1000))}), tmp_path / "a.parquet")
    return tmp_path / "a.parquet"


@pytest.mark.parametrize("way", WAYS)
def test_reading_parquet_leaves_a_process_that_can_end(file: Path, way: str) -> None:
    """Whichever way a file is read, the process ends with 0."""
    assert failures(way, file, 3) == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("way", WAYS)
def test_a_hundred_processes_end(file: Path, way: str) -> None:
    """Of many, not one aborts: with a file object of Python every tenth did."""
    assert failures(way, file, 100) == 0
