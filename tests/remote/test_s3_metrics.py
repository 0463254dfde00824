"""Metrics in S3: written, read while they are written, listed, compacted, kept within limits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from mega_data_factory import storage
from mega_data_factory.clock import utc_now
from mega_data_factory.errors import MdfError
from mega_data_factory.framework.metrics import MetricsReader, MetricsWriter, RunMetrics
from mega_data_factory.framework.metrics.upkeep.compaction import compact
from mega_data_factory.framework.metrics.upkeep.retention import Retention, prune
from mega_data_factory.testing import finished_run
from tests.remote.conftest import names_below
from tests.remote.cutting import CuttingProxy

pytestmark = pytest.mark.slow

IDS = [f"run_2026010{day}_000000_{day:08x}" for day in range(1, 5)]


@pytest.fixture
def store(bucket: str) -> str:
    """A metrics folder with four finished runs."""
    for run_id in IDS:
        finished_run(f"{bucket}/metrics", run_id)
    return f"{bucket}/metrics"


def everything(store: str) -> list[list[dict[str, object]]]:
    """All rows of a new reader, in one order."""
    reader = MetricsReader(store)
    tables = [reader.runs(), reader.stages(), reader.operators()]
    return [sorted(table.to_pylist(), key=str) for table in tables]


def test_runs_are_written_listed_and_read(store: str) -> None:
    """What was written is listed and read on all levels, by id, beginning and `latest`."""
    reader = MetricsReader(store)
    assert reader.list_runs() == IDS
    assert reader.run("latest")["run_id"] == IDS[-1]
    assert reader.run("run_20260102")["run_id"] == IDS[1]
    assert sum(reader.operators(IDS[0]).column("input_records").to_pylist()) == 2 * (100 + 90)
    assert MetricsWriter(store).list_runs() == IDS
    assert reader.sql("SELECT count(*) AS n FROM operators").to_pylist() == [{"n": 4 * 4}]


def test_a_run_is_seen_while_it_goes_on(bucket: str) -> None:
    """A reader that stays open sees every new state of a row that is written over, and every new run."""
    store = f"{bucket}/live"
    reader, writer = MetricsReader(store), MetricsWriter(store)
    assert reader.list_runs() == []
    for number in range(1, 4):
        heartbeat = utc_now()
        row = RunMetrics(run_id="run_a", status="running", heartbeat=heartbeat, flush_interval=5.0, batches=10**number)
        writer.write_run_metrics(row)
        seen = reader.run("run_a")
        assert (seen["status"], seen["batches"], seen["heartbeat"]) == ("running", 10**number, heartbeat)
    writer.write_run_metrics(RunMetrics(run_id="run_b"))
    assert set(reader.list_runs()) == {"run_a", "run_b"}


def test_compaction_changes_no_answer(store: str) -> None:
    """Small files become one per table, and every reader, old or new, sees the same."""
    reader = MetricsReader(store)
    before = everything(store)
    assert reader.list_runs() == IDS
    done = compact(store, min_age=timedelta(0))
    assert (done.runs, done.units) == (4, 1)
    names = names_below(store)
    assert names
    assert all("/compacted_" in name for name in names)
    assert reader.list_runs() == IDS
    assert everything(store) == before
    finished_run(store, "run_20260109_000000_after")
    assert reader.list_runs() == [*IDS, "run_20260109_000000_after"]
    assert reader.sql("SELECT count(*) AS n FROM operators").to_pylist() == [{"n": 5 * 4}]


@pytest.mark.parametrize("compacted", [False, True])
def test_retention_keeps_the_newest(store: str, compacted: bool) -> None:
    """The newest runs stay, whether their files are small or compacted, and what is not ours stays too."""
    foreign = f"{store}/runs/notes.txt"
    with storage.atomic_output(foreign) as sink:
        sink.write(b"not a metrics file")
    if compacted:
        compact(store, min_age=timedelta(0))
    assert set(prune(store, Retention(max_runs=2), dry_run=True).runs) == set(IDS[:2])
    assert MetricsReader(store).list_runs() == IDS
    assert set(prune(store, Retention(max_runs=2)).runs) == set(IDS[:2])
    assert MetricsReader(store).list_runs() == IDS[2:]
    assert len(MetricsReader(store).operators()) == 2 * 4
    assert storage.exists(foreign)


@pytest.mark.parametrize("action", ["write", "compact"])
def test_a_store_that_fails_leaves_what_was_there(store: str, cutting_proxy: CuttingProxy, action: str) -> None:
    """When uploads break off half-way, the error is one of ours, and every reader sees what there was before."""
    before, names = everything(store), names_below(store)
    cutting_proxy.cutting = True
    actions: dict[str, Callable[[], object]] = {
        "write": lambda: finished_run(store, "run_20260109_000000_after"),
        "compact": lambda: compact(store, min_age=timedelta(0)),
    }
    with pytest.raises(MdfError, match="cannot write"):
        actions[action]()
    cutting_proxy.cutting = False
    assert cutting_proxy.cuts
    assert names_below(store) == names
    assert everything(store) == before
