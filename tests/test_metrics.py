"""Metrics of a run on three levels: collected, merged, written and read back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mega_data_factory.framework.metrics import (
    MetricsAggregator,
    MetricsCollector,
    MetricsWriter,
    OperatorMetrics,
    RunMetrics,
    StageMetrics,
    schema,
)
from mega_data_factory.testing import FakeClock
from tests.operator_rows import row
from tests.present import present


class TestMetricsCollector:
    def test_a_run_id_tells_the_time_and_is_unique(self) -> None:
        """Ids are run_{YYYYmmdd_HHMMSS}_{8 hex}."""
        ids = {MetricsCollector(now=lambda: datetime(2026, 1, 24, 12, 34, 56)).run_id for _ in range(5)}
        assert len(ids) == 5
        assert all(run_id.startswith("run_20260124_123456_") and len(run_id) == 28 for run_id in ids)

    @pytest.mark.parametrize("run_id", ["", "../x", "a/b", ".hidden", "a b", "x\n", "a" * 201])
    def test_a_run_id_that_is_no_file_name_is_refused(self, run_id: str) -> None:
        """A run id can never lead out of the metrics folder."""
        with pytest.raises(ValueError, match="cannot be the name of a file"):
            MetricsCollector(run_id)

    def test_a_run_is_timed(self, collector: MetricsCollector, clock: FakeClock) -> None:
        """Before, during and after: None, running with the time so far, completed with the whole time."""
        assert collector.get_run_metrics() is None
        with collector.track_run():
            clock.seconds = 2.0
            running = present(collector.get_run_metrics())
            clock.seconds = 5.0
        done = present(collector.get_run_metrics())
        assert (running.status, running.duration, running.end_time) == ("running", 2.0, None)
        assert (done.status, done.duration, done.error) == ("completed", 5.0, None)
        assert present(done.end_time) - done.start_time == timedelta(seconds=5)

    def test_an_exception_makes_the_run_failed_and_goes_through(self, collector: MetricsCollector) -> None:
        """The row says what went wrong."""
        with pytest.raises(KeyError), collector.track_run():
            raise KeyError("gone")
        run = present(collector.get_run_metrics())
        assert (run.status, run.error) == ("failed", "KeyError: 'gone'")

    def test_an_operator_is_timed_and_counted(self, collector: MetricsCollector, clock: FakeClock) -> None:
        """One call says what became of the records; time is measured around it."""
        with collector.track_operator("filter", "stage_0", "w0", stage_index=1, operator_index=2) as op:
            clock.seconds = 0.5
            op.records(input=100, output=80, errors=5, reasons={"short": 15}, custom={"tokens": 7})
        (got,) = collector.get_operator_metrics()
        assert got.key == ("run_test", "stage_0", "filter", "w0")
        assert (got.input_records, got.output_records, got.error_count, got.rejected_records) == (100, 80, 5, 15)
        assert (got.total_time, got.avg_latency, got.throughput, got.batches) == (0.5, 0.005, 200.0, 1)
        assert (got.rejected_reasons, got.custom_metrics) == ({"short": 15}, {"tokens": 7})
        assert (got.stage_index, got.operator_index, got.unbalanced_records) == (1, 2, 0)
        assert got.timestamp == clock.now()

    def test_added_rows_merge_by_key(self, collector: MetricsCollector) -> None:
        """The same operator on the same worker is one row; another worker is another."""
        for worker in ("w0", "w1", "w0"):
            collector.add_operator_metrics(row(worker=worker))
        assert [(r.worker_id, r.input_records) for r in collector.get_operator_metrics()] == [("w0", 200), ("w1", 100)]

    def test_draining_gives_every_measurement_once(self, collector: MetricsCollector) -> None:
        """What was drained is forgotten here, and adds up elsewhere to the same."""
        driver = MetricsCollector("run_test")
        for size in range(1, 50):
            with collector.track_operator("filter", "s", "w") as op:
                op.records(size)
            for drained in collector.drain_operator_metrics():
                driver.add_operator_metrics(OperatorMetrics.from_wire(json.loads(json.dumps(drained.to_wire()))))
        assert collector.drain_operator_metrics() == []
        (total,) = driver.get_operator_metrics()
        assert (total.input_records, total.batches, total.latency_histogram.total) == (1225, 49, 1225)

    def test_stages_come_in_the_order_they_were_tracked(self, collector: MetricsCollector) -> None:
        """Also a stage in which nothing happened is a stage; one known from operators only comes after."""
        with collector.track_run():
            for name in ("first", "second"):
                with collector.track_stage(name):
                    pass
            collector.add_operator_metrics(row(stage_name="third", stage_index=2))
            collector.add_operator_metrics(row(stage_name="second", stage_index=1))
        assert [s.stage_name for s in collector.get_stage_metrics()] == ["first", "second", "third"]
        assert [s.num_workers for s in collector.get_stage_metrics()] == [0, 1, 1]
        assert present(collector.get_run_metrics()).num_stages == 3

    def test_run_totals_follow_from_the_stages(self, collector: MetricsCollector, clock: FakeClock) -> None:
        """In of the first, out of the last, errors of all, over the duration."""
        with collector.track_run():
            collector.add_operator_metrics(row(stage_name="a", error_count=10))
            collector.add_operator_metrics(row("dedup", stage_name="b", stage_index=1, records=90, passed=45))
            clock.seconds = 10.0
        run = present(collector.get_run_metrics())
        assert (run.total_input_records, run.total_output_records, run.overall_pass_rate) == (100, 45, 45.0)
        assert (run.avg_throughput, run.total_errors, run.rejected_records) == (10.0, 10, 45)

    def test_totals_that_the_run_knows_itself_are_kept(self, collector: MetricsCollector) -> None:
        """Any column may be set; one that does not exist is an error that names the nearest."""
        with collector.track_run() as run:
            run.set(total_input_records=500, engine="local", config={"a": 1}, loader_errors=2)
            run.add(output_files=1)
            run.add(output_files=2, loader_seconds=0.5)
            with pytest.raises(TypeError, match="did you mean `output_files`"):
                run.set(output_file=1)
        got = present(collector.get_run_metrics())
        assert (got.total_input_records, got.engine, got.config) == (500, "local", {"a": 1})
        assert (got.output_files, got.loader_seconds, got.total_errors) == (3, 0.5, 2)


class TestMetricsWriter:
    @pytest.fixture
    def writer(self, tmp_path: Path) -> MetricsWriter:
        return MetricsWriter(tmp_path / "metrics")

    def test_the_example_of_the_manual_works(self, writer: MetricsWriter, tmp_path: Path) -> None:
        """Collect, write all, list, read each level."""
        collector = MetricsCollector()
        with collector.track_run(), collector.track_stage("stage_0"):
            collector.add_operator_metrics(row(run_id="by_hand", custom_metrics={"cache": {"hits": 3}}))
        writer.write_all(
            run_metrics=collector.get_run_metrics(),
            stage_metrics=collector.get_stage_metrics(),
            operator_metrics=collector.get_operator_metrics(),
        )
        (run_id,) = writer.list_runs()
        assert run_id == collector.run_id
        assert present(writer.read_run_metrics(run_id))["total_output_records"] == 90
        assert writer.read_stage_metrics(run_id)[0]["pass_rate"] == 90.0
        assert writer.read_operator_metrics(run_id)[0]["custom_metrics"] == {"cache": {"hits": 3}}
        stamp = run_id.removeprefix("run_")
        written = {str(path.relative_to(tmp_path / "metrics")) for path in tmp_path.rglob("*") if path.is_file()}
        assert written == {
            f"runs/run_{stamp}.parquet",
            f"stages/stages_{stamp}.parquet",
            f"operators/operators_{stamp}.parquet",
        }

    def test_rows_read_back_are_the_rows_written(self, writer: MetricsWriter) -> None:
        """Nothing is lost on the way, on any level."""
        rows = [row(worker=f"w{i}", records=100 + i, rejected_reasons={"short": i}) for i in range(3)]
        rows[1].observe(0.3, 10, 9)
        run = RunMetrics("run_test", datetime(2026, 1, 1), config={"executor": {"metrics": True}}, balanced=True)
        stage = StageMetrics.from_operators(rows, "stage_0")
        writer.write_all(run, [stage], rows)
        assert [OperatorMetrics.from_dict(r) for r in writer.read_operator_metrics("run_test")] == rows
        assert [StageMetrics(**r) for r in writer.read_stage_metrics("run_test")] == [stage]
        assert RunMetrics(**present(writer.read_run_metrics("run_test"))) == run

    def test_the_published_columns_come_first_with_their_types(self, writer: MetricsWriter, tmp_path: Path) -> None:
        """The files have exactly the columns of the layout, then the extension, and say their version."""
        writer.write_all(RunMetrics("run_a"), [StageMetrics("run_a", "s")], [row(run_id="run_a")])
        expected = {
            "operators/operators_a": "run_id:string stage_name:string operator_name:string worker_id:string "
            "timestamp:timestamp[us] input_records:int64 output_records:int64 pass_rate:double total_time:double "
            "avg_latency:double min_latency:double max_latency:double p50_latency:double p95_latency:double "
            "p99_latency:double throughput:double error_count:int64 custom_metrics:string",
            "stages/stages_a": "run_id:string stage_name:string timestamp:timestamp[us] num_workers:int64 "
            "input_records:int64 output_records:int64 pass_rate:double total_time:double avg_throughput:double "
            "min_throughput:double max_throughput:double error_count:int64",
            "runs/run_a": "run_id:string start_time:timestamp[us] end_time:timestamp[us] duration:double "
            "num_stages:int64 total_input_records:int64 total_output_records:int64 overall_pass_rate:double "
            "avg_throughput:double total_errors:int64 config:string",
        }
        for name, columns in expected.items():
            file = pq.ParquetFile(tmp_path / "metrics" / f"{name}.parquet")
            found = [f"{field.name}:{field.type}" for field in file.schema_arrow]
            assert found[: len(columns.split())] == columns.split()
            assert file.schema_arrow.metadata[b"mdf.schema_version"] == str(schema.SCHEMA_VERSION).encode()
            assert not any(field.metadata and b"comment" in field.metadata for field in file.schema_arrow)
            assert file.metadata.row_group(0).column(0).compression == "SNAPPY"

    def test_every_column_has_a_comment_and_every_version_its_history(self) -> None:
        """The comments are in the schema, once, and not in every file."""
        assert all(column.metadata[b"comment"] for table in schema.TABLES.values() for column in table)
        assert list(schema.HISTORY) == list(range(schema.SCHEMA_VERSION + 1))

    def test_an_unknown_run_reads_as_nothing(self, writer: MetricsWriter) -> None:
        """Empty lists and None, also before anything was written."""
        assert writer.read_operator_metrics("run_x") == writer.read_stage_metrics("run_x") == []
        assert writer.list_runs() == []
        assert writer.read_run_metrics("run_x") is None


class TestMetricsAggregator:
    def test_plain_workers_are_asked_and_summed_up(self) -> None:
        """Rows, dicts and wire dicts are all understood; the run id is filled in."""

        class Worker:
            def __init__(self, answer: Sequence[dict[str, Any]] | OperatorMetrics) -> None:
                self.get_operator_metrics = lambda: answer

        columns = {"stage_name": "stage_0", "operator_name": "filter", "worker_id": "w1", "input_records": 50}
        workers = [Worker(row()), Worker([columns]), Worker([row(worker="w2").to_wire()]), Worker([])]
        aggregator = MetricsAggregator("run_test")
        rows = aggregator.collect_from_workers(workers)
        assert [(r.run_id, r.worker_id) for r in rows] == [("run_test", "w0"), ("run_test", "w1"), ("run_test", "w2")]
        stage = aggregator.collect_stage_metrics(workers, "stage_0")
        assert (stage.num_workers, stage.input_records, aggregator.unreachable) == (3, 250, [])

    def test_a_stage_is_summed_over_operators_and_workers(self) -> None:
        """Input of the first operator, output of the last, time of the busiest worker, rates per worker."""
        rows = [
            row("last", "w0", 90, 50, 3.0, operator_index=1, error_count=1),
            row("first", "w0", 100, 90, 1.0),
            row("last", "w1", 80, 40, 1.0, operator_index=1),
            row("first", "w1", 100, 80, 1.0, error_count=2),
            row("stranger", stage_name="other"),
        ]
        stage = MetricsAggregator("run_test").aggregate_to_stage_metrics(rows, "stage_0")
        assert (stage.num_workers, stage.input_records, stage.output_records, stage.pass_rate) == (2, 200, 90, 45.0)
        assert (stage.total_time, stage.error_count) == (4.0, 3)
        assert (stage.min_throughput, stage.avg_throughput, stage.max_throughput) == (25.0, 37.5, 50.0)

    def test_operators_without_an_index_are_in_the_order_of_the_rows(self) -> None:
        """By hand, the first row is the first operator."""
        stage = StageMetrics.from_operators([row("b", records=9, passed=8), row("a", records=8, passed=3)], "stage_0")
        assert (stage.input_records, stage.output_records) == (9, 3)

    def test_a_stage_without_rows_is_all_zeros_and_nulls(self) -> None:
        """Nothing happened, nothing crashes."""
        stage = MetricsAggregator("run_test").aggregate_to_stage_metrics([], "stage_0")
        assert (stage.run_id, stage.num_workers, stage.input_records, stage.total_time) == ("run_test", 0, 0, 0.0)
        assert stage.pass_rate is stage.avg_throughput is stage.min_throughput is stage.max_throughput is None


class TestMetricsModels:
    def test_every_published_column_may_be_given_by_hand(self) -> None:
        """Derived values that are given are kept for that row."""
        given: dict[str, Any] = {
            "pass_rate": 91.0, "avg_latency": 0.01, "min_latency": 0.005, "max_latency": 0.02, "p50_latency": 0.011,
            "p95_latency": 0.018, "p99_latency": 0.019, "throughput": 99.0, "error_count": 0, "custom_metrics": {},
        }  # fmt: skip
        got = row(timestamp=datetime(2026, 1, 24), **given)
        assert {name: getattr(got, name) for name in given} == given

    def test_what_is_not_given_is_derived(self) -> None:
        """Rates, means and percentiles follow from counts and seconds."""
        got = row(records=100, passed=90, seconds=2.0, error_count=4)
        assert (got.pass_rate, got.avg_latency, got.throughput, got.rejected_records) == (90.0, 0.02, 50.0, 6)
        assert got.min_latency == got.p50_latency == got.p99_latency == got.max_latency == 0.02

    def test_timestamps_are_naive_utc(self) -> None:
        """An aware timestamp is converted; the default is now."""
        berlin = timezone(timedelta(hours=1))
        assert row(timestamp=datetime(2026, 1, 1, 13, tzinfo=berlin)).timestamp == datetime(2026, 1, 1, 12)
        assert abs(row().timestamp - datetime.now(UTC).replace(tzinfo=None)) < timedelta(minutes=1)

    def test_the_wire_loses_nothing(self) -> None:
        """Also through JSON, also what was given by hand."""
        rich = row(p95_latency=0.5, custom_metrics={"n": 1}, rejected_reasons={"a": 2}, stage_index=3, batches=4)
        seen = row()
        seen.observe(0.25, 10, 8, 1)
        for original in (rich, seen, OperatorMetrics("r", "s", "o", "w")):
            assert OperatorMetrics.from_wire(json.loads(json.dumps(original.to_wire()))) == original

    def test_a_misspelt_column_is_refused(self) -> None:
        """A dict with a key that is no column is an error, not a loss."""
        with pytest.raises(TypeError, match="input_record"):
            OperatorMetrics.from_dict({"input_record": 1})

    def test_a_run_derives_its_rates(self) -> None:
        """Null when nothing came in; what is given is kept."""
        start = datetime(2026, 1, 1)
        run = RunMetrics("r", start, start + timedelta(seconds=20), total_input_records=100, total_output_records=25)
        assert (run.duration, run.overall_pass_rate, run.avg_throughput) == (20.0, 25.0, 5.0)
        assert RunMetrics("r").overall_pass_rate is RunMetrics("r").avg_throughput is None
        assert RunMetrics("r", duration=3.0, avg_throughput=7.0).avg_throughput == 7.0
