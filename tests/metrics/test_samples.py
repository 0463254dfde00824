"""Samples: what a run did over time adds up to what it did, whatever is folded, killed or tried again."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mega_data_factory import storage
from mega_data_factory.errors import OutputError
from mega_data_factory.framework.metrics import IntervalSampler, LatencyHistogram, MetricsCollector, OperatorMetrics
from mega_data_factory.framework.metrics import schema as layout
from mega_data_factory.framework.metrics.rows.interval import SampleMetrics
from mega_data_factory.framework.metrics.store import segments as folding
from mega_data_factory.framework.metrics.store.files.encoding import write_tables
from mega_data_factory.framework.metrics.store.files.layout import Segment, segment_files
from mega_data_factory.framework.metrics.store.segments import SegmentLog
from mega_data_factory.storage import Location

NOON = datetime(2026, 1, 24, 12, 0)


def measured(seconds: float, worker: str = "w0", operator: str = "filter", records: int = 100) -> OperatorMetrics:
    row = OperatorMetrics("run_a", "stage_0", operator, worker, NOON + timedelta(seconds=seconds))
    row.observe(0.001 * (1 + seconds % 7), records, records - 10, 1, reasons={"short": 9})
    return row


def stored(folder: Path, run_id: str = "run_a") -> list[dict[str, Any]]:
    """The samples that count, by the names of the files alone."""
    paths = {path.name: path for where in ("", ".pending") for path in (folder / where / "samples").glob("[!.]*")}
    files = segment_files("samples", paths).get(run_id.removeprefix("run_"))
    rows = []
    for name in files.names if files else ():
        rows += pq.read_table(paths[name]).to_pylist()
    return rows


def records(folder: Path) -> list[int]:
    return sorted(row["input_records"] for row in stored(folder))


def test_work_is_entered_in_the_interval_it_was_done_in() -> None:
    """Not when it is committed; intervals start at multiples of their length, and rows of one key add up."""
    sampler = IntervalSampler("run_a", 5.0)
    sampler.add_rows([measured(12), measured(1)])
    sampler.add_rows([measured(4.999), measured(1, worker="w1")])
    found = sampler.take_samples()
    at = [(s.worker_id, (s.timestamp - NOON).total_seconds(), s.input_records, s.batches) for s in found]
    assert at == [("w0", 0, 200, 2), ("w0", 10, 100, 1), ("w1", 0, 100, 1)]
    assert sampler.take_samples() == []


def test_samples_add_up_to_the_operator_rows() -> None:
    """Counts, busy seconds and every bucket of the histogram, however often the samples are taken."""
    rng = random.Random(7)
    sampler, collector = IntervalSampler("run_a", 0.5), MetricsCollector("run_a")
    samples = []
    for _ in range(3000):
        row = measured(rng.random() * 60, f"w{rng.randrange(3)}", rng.choice(["a", "b"]), rng.randrange(10, 1000))
        collector.add_operator_metrics(row)
        sampler.add_rows([row])
        if rng.random() < 0.01:
            samples += sampler.take_samples()
    samples += sampler.take_samples()
    for total in collector.get_operator_metrics():
        own = [s for s in samples if (s.operator_name, s.worker_id) == (total.operator_name, total.worker_id)]
        for column in ("input_records", "output_records", "rejected_records", "error_count", "batches"):
            assert sum(getattr(s, column) for s in own) == getattr(total, column)
        assert sum(s.busy_time for s in own) == pytest.approx(total.total_time, rel=1e-12)
        assert sum(s.latency_histogram for s in own) == total.latency_histogram


def test_segments_are_folded_and_every_sample_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few files at any time, each sample in one of those that count, one file at the end, in order of time."""
    monkeypatch.setattr(folding, "FOLD_AT", 4)
    log = SegmentLog(tmp_path, "samples", "run_a")
    sampler = IntervalSampler("run_a", 5.0)
    for number in range(23):
        sampler.add_rows([measured(100 - number, records=20 + number)])
        log.append(sampler.take_samples())
        assert records(tmp_path) == list(range(20, 21 + number))
        assert len(list((tmp_path / "samples").iterdir())) <= 3 * 3
    log.finish()
    assert [path.name for path in (tmp_path / "samples").iterdir()] == ["samples_a.parquet"]
    assert records(tmp_path) == list(range(20, 43))
    times = [row["timestamp"] for row in stored(tmp_path)]
    assert times == sorted(times)


class Interrupted(Exception):
    """Stands for a SIGKILL: nothing that comes after it happens."""


@pytest.mark.parametrize("steps", range(1, 40, 3))
def test_a_fold_killed_at_any_step_counts_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """Killed before any write or removal: what was appended is there once; a new attempt replaces all of it."""
    monkeypatch.setattr(folding, "FOLD_AT", 3)
    left = iter(range(steps))

    def step() -> None:
        if next(left, None) is None:
            raise Interrupted

    def write(path: Location, tables: Iterable[pa.Table]) -> None:
        step()
        write_tables(path, tables)

    def remove(path: Location) -> None:
        step()
        storage.remove(path)

    monkeypatch.setattr(folding, "remove", remove)
    log = SegmentLog(tmp_path, "samples", "run_a", write)
    appended = 0
    try:
        for number in range(9):
            log.append([_sample(records=number)])
            appended += 1
        log.finish()
    except Interrupted:
        pass
    assert records(tmp_path) in (list(range(appended)), list(range(appended + 1)))
    left = iter(range(2))  # the new attempt is killed as well, after its first segment and one removal
    with contextlib.suppress(Interrupted):
        again = SegmentLog(tmp_path, "samples", "run_a", write)
        again.append([_sample(records=1000)])
        again.append([_sample(records=1001)])
    before = list(range(appended)), list(range(appended + 1))
    assert records(tmp_path) in (*before, [1000], [1000, 1001])
    left = iter(range(1000))
    last = SegmentLog(tmp_path, "samples", "run_a", write)
    last.append([_sample(records=1000)])
    assert records(tmp_path) == [1000]
    last.finish()
    assert records(tmp_path) == [1000]
    assert len(list((tmp_path / "samples").iterdir())) == 1


def _sample(records: int) -> SampleMetrics:
    sampler = IntervalSampler("run_a", 5.0)
    sampler.add_rows([OperatorMetrics("run_a", "s", "o", "w", NOON, records, records)])
    return sampler.take_samples()[0]


def test_what_could_not_be_written_goes_with_the_next_segment(tmp_path: Path) -> None:
    """Nothing is lost by a write that fails, and numbers of segments have no gap."""
    broken = [True]

    def write(path: Location, tables: Iterable[pa.Table]) -> None:
        if broken[0]:
            raise OutputError("the disk is full")
        write_tables(path, tables)

    log = SegmentLog(tmp_path, "samples", "run_a", write)
    for number in range(2):
        with pytest.raises(OutputError):
            log.append([_sample(records=number)])
    broken[0] = False
    log.append([_sample(records=2)])
    assert records(tmp_path) == [0, 1, 2]
    assert [path.name for path in (tmp_path / "samples").iterdir()] == ["samples_a.000000.parquet"]


def test_a_run_without_a_batch_has_no_file_of_samples(tmp_path: Path) -> None:
    """Nothing was measured, nothing is written."""
    log = SegmentLog(tmp_path, "samples", "run_a")
    log.append([])
    log.finish()
    assert not (tmp_path / "samples").exists()


def test_names_tell_which_files_count() -> None:
    """The finished file over segments, wide segments over narrow ones; a missing number is noticed."""
    names = ["samples_a.000000.parquet", "samples_a.000001.parquet", "samples_a.000000-000001.parquet"]
    names += ["samples_a.000002.parquet", "samples_b.parquet", "samples_b.000004.parquet", "notes.txt"]
    files = segment_files("samples", [*names, "samples_c.000001.parquet", "samples_c.000002.parquet"])
    assert files["a"].names == ("samples_a.000000-000001.parquet", "samples_a.000002.parquet")
    assert files["a"].superseded == ("samples_a.000000.parquet", "samples_a.000001.parquet")
    assert (files["b"].names, files["b"].superseded) == (("samples_b.parquet",), ("samples_b.000004.parquet",))
    assert [files[run].whole for run in "abc"] == [True, True, False]
    assert Segment.parse(Segment(1_000_000, 1_000_063).file_of("samples", "run_a").rpartition("/")[2]) == (
        "a",
        Segment(1_000_000, 1_000_063),
    )


def test_a_run_id_that_ends_like_a_segment_is_refused() -> None:
    """The files of one run can never be taken for segments of another."""
    with pytest.raises(ValueError, match="names of segments"):
        MetricsCollector("a.000001")
    assert MetricsCollector("a.0001").run_id == "a.0001"


def test_a_file_of_samples_has_the_columns_of_the_schema(tmp_path: Path) -> None:
    """With their types, the version and the run; the histogram is a plain list column."""
    SegmentLog(tmp_path, "samples", "run_a").append([_sample(records=5)])
    file = pq.ParquetFile(tmp_path / "samples" / "samples_a.000000.parquet")
    assert [(f.name, f.type) for f in file.schema_arrow] == [(f.name, f.type) for f in layout.SAMPLES]
    assert file.metadata.metadata[b"mdf.schema_version"] == str(layout.SCHEMA_VERSION).encode()
    assert file.metadata.metadata[b"mdf.run_id"] == b"run_a"
    (row,) = file.read().to_pylist()
    assert LatencyHistogram({b["bucket"]: b["count"] for b in row["latency_histogram"]}).total == 5
