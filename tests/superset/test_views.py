"""The views of the DuckDB file say the same as `MetricsReader`, in every state that a metrics folder can be in."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from mega_data_factory.clock import utc_now
from mega_data_factory.errors import MetricsQueryError, OutputError
from mega_data_factory.exports.superset import uri_of, write_views
from mega_data_factory.exports.superset.views.charts import MOST_STEPS
from mega_data_factory.framework.metrics import MetricsReader, MetricsWriter, RunMetrics
from mega_data_factory.framework.metrics.rows.histogram import LatencyHistogram
from mega_data_factory.framework.metrics.schema import TABLES
from mega_data_factory.framework.metrics.store.files.layout import Segment
from mega_data_factory.framework.metrics.store.reading.percentiles import latency_percentiles
from mega_data_factory.framework.metrics.upkeep.compaction import compact
from mega_data_factory.framework.metrics.upkeep.retention import Retention, prune
from tests.metrics import test_compacting as store
from tests.present import present
from tests.superset import history


def of_reader(folder: Path) -> dict[str, Any]:
    return {
        kind: sorted(map(repr, table.to_pylist())) for kind, table in store.all_tables(MetricsReader(folder)).items()
    }


def of_views(file: Path) -> dict[str, Any]:
    with duckdb.connect(str(file), read_only=True) as connection:
        found = {kind: connection.sql(f"SELECT * FROM {kind}").to_arrow_table() for kind in TABLES}
    return {kind: sorted(map(repr, table.to_pylist())) for kind, table in found.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "metrics [of] Bob's *"


@pytest.fixture
def views(folder: Path, tmp_path: Path) -> Path:
    """A views file, made before there was any run."""
    folder.mkdir()
    return write_views(folder, tmp_path / "views.duckdb")


def test_an_empty_folder_has_every_table_without_rows(
    folder: Path, views: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """All views answer with the columns and types of the schema, and readers say nothing of the placeholders."""
    assert of_views(views) == of_reader(folder) == {kind: [] for kind in TABLES}
    assert caplog.records == []
    with duckdb.connect(str(views), read_only=True) as connection:
        for kind, columns in TABLES.items():
            found = connection.sql(f"SELECT * FROM {kind}").to_arrow_table().schema
            assert found.names == columns.names
            assert [field.type for field in found] == [field.type for field in columns]


def test_new_runs_are_there_without_a_new_file(folder: Path, views: Path) -> None:
    """Runs that are written after the views are in them, with all five tables."""
    for made in history.month(2):
        history.write(folder, made)
        assert of_views(views) == of_reader(folder)
    assert len(of_views(views)["runs"]) == 2


def test_old_versions_are_read(folder: Path, views: Path) -> None:
    """Files of every earlier version of the schema have null where they lack a column."""
    versions = sorted(Path(__file__).parent.parent.glob("metrics/old_versions/version_*"))
    for version in versions:
        for file in version.glob("*/*.parquet"):
            folder.joinpath(file.parent.name).mkdir(exist_ok=True)
            folder.joinpath(file.parent.name, file.name).write_bytes(file.read_bytes())
    assert of_views(views) == of_reader(folder)
    assert len(versions) >= 3
    assert len(of_views(views)["runs"]) >= len(versions)


def test_a_run_that_goes_on_is_there_once(folder: Path, views: Path) -> None:
    """Segments, folded segments and the finished file count once each, at every step of a run and its resumption."""
    made = next(history.month(1))
    run_id = made.run.run_id
    writer = MetricsWriter(folder)
    for _life in range(2):
        log = writer.sample_log(run_id)
        for first in range(0, len(made.samples), 200):
            log.append(made.samples[first : first + 200])
            assert of_views(views) == of_reader(folder)
        log.finish()
        assert of_views(views) == of_reader(folder)
        assert len(of_views(views)["samples"]) == len(made.samples)


@pytest.mark.parametrize(
    "spans", [[(0, 0), (1, 1), (0, 1)], [(0, 3), (0, 0), (2, 3), (4, 4)], [(0, 0), (0, 1), (0, 2), (3, 3), None]]
)
def test_a_fold_that_was_killed_counts_once(folder: Path, views: Path, spans: Sequence[tuple[int, int] | None]) -> None:
    """Of segments that overlap the widest counts, and the finished file before all of them."""
    made = next(history.month(1))
    writer = MetricsWriter(folder)
    for number, span in enumerate(spans):
        writer.write_samples(made.samples[: number + 1], made.run.run_id)
        whole = next(folder.glob("samples/samples_*.parquet"))
        if span is not None:
            whole.rename(folder / Segment(*span).file_of("samples", made.run.run_id))
    assert of_views(views) == of_reader(folder)


def test_a_file_without_rows_counts(folder: Path, views: Path) -> None:
    """A finished file without rows hides the segments that a prune has yet to remove."""
    made = next(history.month(1))
    writer = MetricsWriter(folder)
    writer.write_samples(made.samples, made.run.run_id)
    whole = next(folder.glob("samples/samples_*.parquet"))
    whole.rename(folder / Segment(0, 0).file_of("samples", made.run.run_id))
    writer.write_samples([], made.run.run_id)
    assert of_views(views) == of_reader(folder)
    assert of_views(views)["samples"] == []


def test_compaction_changes_no_row(folder: Path, views: Path) -> None:
    """Units, merged units, and a run that goes on after it was compacted are there once, and pruned ones are gone."""
    for number in range(7):
        store.write(folder, number)
    for unit_runs in (3, 100):
        compact(folder, unit_runs=unit_runs)
        assert of_views(views) == of_reader(folder)
    store.write(folder, 2, count=9)
    assert of_views(views) == of_reader(folder)
    prune(folder, Retention(max_runs=4))
    assert of_views(views) == of_reader(folder)
    assert len(of_views(views)["runs"]) == 4


def test_a_compaction_killed_anywhere_changes_no_row(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after any number of writes and removals, of small files and of a unit, every run is there once."""
    folder = tmp_path / "original"
    store.write(folder, 0)
    store.fold(folder, unit_runs=100)
    store.write(folder, 1)
    state = tmp_path / "state"
    state.symlink_to(folder)
    views = write_views(state, tmp_path / "views.duckdb")
    for left in store.killed_anywhere(folder, tmp_path, monkeypatch, lambda left: store.fold(left, unit_runs=100)):
        state.unlink()
        state.symlink_to(left)
        assert of_views(views) == of_reader(left)


def test_a_run_without_a_heartbeat_is_aborted(folder: Path, views: Path) -> None:
    """A running run is `aborted` when its heart has not beaten for three intervals, 15 s at least."""
    now = utc_now()
    beats = {"a": (10, 1.0), "b": (20, 1.0), "c": (40, 20.0), "d": (70, 20.0)}
    writer = MetricsWriter(folder)
    for run_id, (age, interval) in beats.items():
        beat = now - timedelta(seconds=age)
        writer.write_run_metrics(RunMetrics(run_id, beat, status="running", heartbeat=beat, flush_interval=interval))
    writer.write_run_metrics(RunMetrics("e", now - timedelta(days=1), status="running"))
    assert of_views(views) == of_reader(folder)
    with duckdb.connect(str(views), read_only=True) as connection:
        found = dict(connection.execute("SELECT run_id, status FROM runs").fetchall())
    assert found == {"a": "running", "b": "aborted", "c": "running", "d": "aborted", "e": "running"}


def test_nobody_is_missed_or_seen_twice_while_others_compact(folder: Path, views: Path) -> None:
    """Whoever asks while runs are written and compacted gets every run once, or an error that a file is gone."""
    written, failures, stop = [], [], threading.Event()

    def working() -> None:
        try:
            for number in range(12):
                written.append(store.write(folder, number))
                compact(folder, unit_runs=5 if number % 2 else 100)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)
        stop.set()

    thread = threading.Thread(target=working)
    thread.start()
    asked = gone = 0
    with duckdb.connect(str(views), read_only=True) as connection:
        while not stop.is_set():
            known = set(written)
            for kind, rows in {"runs": 1, "operators": 2, "samples": 2}.items():
                asked += 1
                try:
                    found = dict(connection.execute(f"SELECT run_id, count(*) FROM {kind} GROUP BY 1").fetchall())
                except duckdb.Error as error:
                    if not isinstance(error, duckdb.IOException) and "ask again" not in str(error):
                        raise
                    gone += 1
                    continue
                assert known <= found.keys()
                assert set(found.values()) <= {rows}
    thread.join()
    assert failures == []
    assert asked > gone


def test_percentiles_are_those_of_added_histograms(folder: Path, views: Path) -> None:
    """`latency_percentile` over any grouping is what the store's own percentiles say; null without histograms."""
    history.write_month(folder, 4)
    rows = MetricsReader(folder).operators()
    with duckdb.connect(str(views), read_only=True) as connection:
        for by in (["operator_name"], ["run_id", "stage_name"], ["run_id", "operator_name", "worker_id"]):
            columns = ", ".join(by)
            merged = ", ".join(
                f"latency_percentile(latency_histogram, {q / 100}) AS p{q}_latency" for q in (50, 95, 99)
            )
            found = connection.sql(
                f"SELECT {columns}, {merged} FROM operators GROUP BY ALL ORDER BY {columns}"
            ).to_arrow_table()
            wanted = latency_percentiles(rows, by).drop_columns(["records"])
            for column in wanted.column_names:
                if pa.types.is_floating(wanted.schema.field(column).type):
                    assert found[column].to_pylist() == pytest.approx(wanted[column].to_pylist(), rel=1e-12)
                else:
                    assert found[column].to_pylist() == wanted[column].to_pylist()
        nothing = "SELECT latency_percentile(latency_histogram, 0.5) FROM operators WHERE run_id = 'none'"
        assert connection.execute(nothing).fetchone() == (None,)


def test_the_extremes_of_a_histogram_are_found(views: Path) -> None:
    """Zero seconds, the smallest and the largest float are answered by their bucket, for every quantile."""
    with duckdb.connect(str(views), read_only=True) as connection:
        for values in ([0.0], [5e-324], [1.7e308], [0.0, 1e-9, 3.0], [0.25] * 3 + [8.0]):
            histogram = LatencyHistogram()
            for value in values:
                histogram.add(value)
            pairs = [{"bucket": bucket, "count": count} for bucket, count in histogram.to_pairs()]
            for quantile in (0.0, 0.5, 0.9, 1.0):
                answer = connection.execute("SELECT latency_percentile($1, $2)", [pairs, quantile]).fetchone()
                (found,) = present(answer)
                assert found == pytest.approx(histogram.quantile(max(quantile, 1e-9)), rel=1e-12, abs=0)


def test_a_long_run_has_few_steps(folder: Path, views: Path) -> None:
    """Of a run of a day the stage samples are added up in steps, and no record is lost."""
    made = next(history.month(1))
    run = made.run
    run.end_time = run.start_time + timedelta(days=1)
    for number, sample in enumerate(made.samples):
        sample.timestamp = made.samples[0].timestamp + timedelta(seconds=5 * (97 * number % 17_280))
    history.write(folder, made)
    first = sum(sample.input_records for sample in made.samples if sample.operator_index == 0)
    with duckdb.connect(str(views), read_only=True) as connection:
        query = "SELECT count(DISTINCT elapsed), max(elapsed), sum(input_records), min(seconds) FROM stage_samples"
        steps, last, records, seconds = present(connection.execute(query).fetchone())
    assert steps <= MOST_STEPS + 1
    assert last < 86_400
    assert records == first
    assert seconds >= 5


def test_a_short_run_has_several_points(folder: Path, views: Path) -> None:
    """Of a run of four seconds, sampled every second, nodes have points two seconds apart and nothing is left out."""
    made = next(history.month(1))
    made.run.end_time = made.run.start_time + timedelta(seconds=4)
    made.nodes = [row for row in made.nodes if row.node_id == "node-a"][:4]
    for number, row in enumerate(made.nodes):
        row.timestamp = made.run.start_time + timedelta(seconds=number)
    history.write(folder, made)
    with duckdb.connect(str(views), read_only=True) as connection:
        found = connection.execute("SELECT elapsed, cpu_usage FROM node_history ORDER BY timestamp").fetchall()
    assert found == [(number // 2 * 2, row.cpu_usage) for number, row in enumerate(made.nodes)]


def test_nodes_share_their_steps(folder: Path, views: Path) -> None:
    """Nodes sampled every ten seconds, one four seconds after the other, have points at the same places."""
    made = next(history.month(1))
    for row in made.nodes:
        number = round((row.timestamp - made.run.start_time).total_seconds() / history.INTERVAL)
        late = 4 * (row.node_id == "node-b")
        row.timestamp = made.run.start_time + timedelta(seconds=10 * number + late)
    history.write(folder, made)
    query = "SELECT node, list(DISTINCT elapsed ORDER BY elapsed) FROM node_history GROUP BY node ORDER BY node"
    with duckdb.connect(str(views), read_only=True) as connection:
        (_, first), (_, second) = connection.execute(query).fetchall()
    assert first == second
    assert len(first) > history.STEPS / 2


def test_who_has_the_file_open_goes_on(folder: Path, views: Path) -> None:
    """The file is replaced as a whole: an open connection answers, a new one sees the new file."""
    history.write_month(folder, 2)
    with duckdb.connect(str(views), read_only=True) as connection:
        assert write_views(folder, views) == views
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (2,)
    assert sorted(path.name for path in views.parent.iterdir() if path.is_file()) == ["views.duckdb"]


def test_what_cannot_work_is_refused(folder: Path, views: Path, tmp_path: Path) -> None:
    """A remote or missing folder and a remote file get one clear error, and nothing is written or moved."""
    with pytest.raises(MetricsQueryError, match="mount or sync"):
        write_views("s3://bucket/metrics", tmp_path / "new.duckdb")
    with pytest.raises(MetricsQueryError, match="there is no metrics folder"):
        write_views(tmp_path / "nowhere", tmp_path / "new.duckdb")
    (folder / "stages").mkdir()
    (folder / "stages" / "stages_torn.parquet").write_bytes(b"PAR1")
    with pytest.raises(OutputError, match="on this machine"):
        write_views(folder, "s3://bucket/new.duckdb")
    assert not (tmp_path / "new.duckdb").exists()
    assert (folder / "stages" / "stages_torn.parquet").is_file()


def test_the_uri_takes_any_path() -> None:
    """What would end a URI is escaped."""
    assert uri_of(Path("/a b/c?d.duckdb")) == "duckdb:////a%20b/c%3Fd.duckdb?access_mode=READ_ONLY"
