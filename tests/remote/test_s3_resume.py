"""A run that deduplicates into S3 and is killed goes on where it ended, as on a file system."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mega_data_factory import storage
from mega_data_factory.errors import ResumeError
from mega_data_factory.framework.executor import Executor
from mega_data_factory.framework.metrics import MetricsReader
from tests.engines.crashes import crash
from tests.engines.running import fake, jsonl, stage
from tests.remote.conftest import names_below

pytestmark = pytest.mark.slow

RUN = "run_s3_dedup"
DISTINCT = 150


def config(folder: Path, output: str, **writer: Any) -> dict[str, Any]:
    """Every text three times in the source, far apart; a file for every batch."""
    texts = [f"text number {number % DISTINCT}" for number in range(3 * DISTINCT)]
    return {
        "data_loader": {"type": "jsonl_loader", "params": {"path": jsonl(folder / "a.jsonl", texts)}},
        "stages": [stage("only", fake("Dedup"), fake("Upper"))],
        "data_writer": {"type": "parquet_writer", "params": {"output_path": output, "target_file_mb": 0, **writer}},
        "executor": {
            "batch_size": 15,
            "dedup_num_buckets": 2,
            "metrics": {"output_path": str(folder / "metrics"), "flush_interval": 0.2},
        },
    }


def texts_in(output: str) -> list[str]:
    """The texts of all output files, sorted."""
    files = [name for name in names_below(output) if name.startswith("part-")]
    tables = [pq.read_table(io.BytesIO(storage.read_bytes(f"{output}/{name}"))) for name in files]
    return sorted(text for table in tables for text in table.column("text").to_pylist())


def wait_until_dead(folder: Path) -> None:
    """Without a lock a driver counts as dead when its heartbeat is overdue."""
    deadline = time.monotonic() + 90
    while MetricsReader(folder / "metrics").run(RUN)["status"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.5)


@pytest.mark.parametrize("moment", ["driver:3", "driver:12"])
def test_a_killed_run_that_deduplicates(bucket: str, tmp_path: Path, moment: str) -> None:
    """Killed early, or when only duplicates are left: resumed, every text is there once, with counts to match."""
    output = f"{bucket}/out"
    what = config(tmp_path, output)
    assert crash(what, tmp_path, RUN, moment) == -9
    assert any(name.startswith(f"_state/{RUN}/claims-1.log/") for name in names_below(output))
    kept = [name for name in names_below(output) if name.startswith("part-")]
    wait_until_dead(tmp_path)
    executor = Executor(what, resume=RUN)
    executor.run()
    assert texts_in(output) == sorted(f"TEXT NUMBER {number}" for number in range(DISTINCT))
    assert all(name.startswith("part-") for name in names_below(output)), "log and claims go when the run completes"
    row = MetricsReader(tmp_path / "metrics").run(RUN)
    assert (row["status"], row["balanced"]) == ("completed", True)
    assert (row["total_input_records"], row["total_output_records"]) == (3 * DISTINCT, DISTINCT)
    assert kept


def test_without_its_claims_a_run_is_not_resumed(bucket: str, tmp_path: Path) -> None:
    """Where the claims are gone a resumed run would let duplicates pass: it is refused."""
    output = f"{bucket}/out"
    what = config(tmp_path, output)
    assert crash(what, tmp_path, RUN, "driver:3") == -9
    storage.remove_tree(f"{output}/_state")
    wait_until_dead(tmp_path)
    with pytest.raises(ResumeError, match="deduplication logs are missing"):
        Executor(what, resume=RUN).run()


def test_overwriting_replaces_the_output_at_the_end(bucket: str, tmp_path: Path) -> None:
    """A run that is killed has removed nothing of the earlier output; resumed, it leaves its own alone."""
    output = f"{bucket}/out"
    old = config(tmp_path, output)
    Executor(old, run_id="run_old").run()
    before = names_below(output)
    what = config(tmp_path, output, if_exists="overwrite")
    assert crash(what, tmp_path, RUN, "driver:3") == -9
    assert [name for name in names_below(output) if not name.startswith("_")] == before
    wait_until_dead(tmp_path)
    Executor(what, resume=RUN).run()
    after = names_below(output)
    assert not set(before) & set(after)
    assert all(name.startswith("part-") for name in after)
    assert len(texts_in(output)) == DISTINCT
