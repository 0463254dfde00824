"""A process that has read Parquet, on a thread too, ends in peace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mega_data_factory.framework.metrics import compact
from tests.metrics.test_compacting import NOW, write

READ = """
import os, sys, threading
import pandas, pyarrow.dataset, pyarrow.fs, pyarrow.parquet as pq
from mega_data_factory import storage

def read():
    for _ in range(2):
        {way}

failed = 0
for _ in range(int(sys.argv[2])):  # everything is imported and no thread runs: each fork is a process of its own
    child = os.fork()
    if not child:
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
        break  # and end as any program does
    failed += os.waitpid(child, 0)[1] != 0
else:
    print(failed)
"""
WAYS = {
    "open_input": "with storage.open_input(sys.argv[1]) as file: pq.read_table(file)",
    "open_parquet": "with storage.open_parquet(sys.argv[1]) as file: file.read(use_threads=False)",
    "read_parquet": "storage.read_parquet(sys.argv[1])",
}


def failures(way: str, file: Path, times: int) -> int:
    """Read in a number of processes, one after the other; return how many of them did not end with 0."""
    command = [sys.executable, "-c", READ.format(way=WAYS[way]), str(file), str(times)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


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
    """Of many, not one aborts: with a file object of Python every tenth does, forked or not."""
    assert failures(way, file, 100) == 0


def repeated(command: list[str], seconds: float) -> tuple[Counter[int], str]:
    """Run a command again and again, as many at once as there are cores; return its exit codes and a failed output."""
    end = time.monotonic() + seconds
    codes: Counter[int] = Counter()
    failed = [""]

    def repeat(number: int) -> None:
        while time.monotonic() < end:
            mine = {**os.environ, "NUMBER": str(number)}
            done = subprocess.run(command, env=mine, capture_output=True, text=True, check=False)
            codes[done.returncode] += 1
            if done.returncode != 0:
                failed[0] = done.stdout[-1000:] + done.stderr[-2000:]

    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(repeat, range(workers)))
    return codes, failed[0]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_short_runs_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As many short runs as fit in a minute end with 0, though each folds the metrics that it wrote in progress."""
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": f"record {i}"}) + "\n" for i in range(200)))
    config = {
        "name": "short",
        "data_loader": {"type": "jsonl_loader", "params": {"path": f"{tmp_path}/in.jsonl"}},
        "stages": [{"name": "s", "operators": [{"name": "text_length_filter", "params": {"min_length": 5}}]}],
        "data_writer": {
            "type": "parquet_writer",
            "params": {"output_path": f"{tmp_path}/out_${{NUMBER}}", "if_exists": "overwrite"},
        },
        "executor": {"metrics": {"output_path": f"{tmp_path}/metrics"}},
    }
    (tmp_path / "short.yaml").write_text(json.dumps(config))
    command = [sys.executable, "-m", "mega_data_factory.cli", "run", "--config", f"{tmp_path}/short.yaml"]
    codes, failed = repeated(command, 60)
    with capsys.disabled():
        print(f"\n{codes.total()} short runs in a minute, exit codes {dict(codes)}")
    assert set(codes) == {0}, failed


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_short_queries_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A query that stops before all of a compacted file is read leaves no thread that aborts the process."""
    for number in range(20):
        write(tmp_path, number)
    compact(tmp_path, now=lambda: NOW)
    query = "SELECT run_id FROM operators LIMIT 1"
    codes, failed = repeated(
        [sys.executable, "-m", "mega_data_factory.cli", "metrics", "sql", query, "--metrics", str(tmp_path)], 30
    )
    with capsys.disabled():
        print(f"\n{codes.total()} queries in half a minute, exit codes {dict(codes)}")
    assert set(codes) == {0}, failed
