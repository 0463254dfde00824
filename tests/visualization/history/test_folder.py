"""A history on disk: saved, live, killed, damaged."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mega_data_factory.errors import HistoryError
from mega_data_factory.history import HistoryRetention
from mega_data_factory.visualization import MetricsHistory
from tests.present import present
from tests.visualization.history.kit import FEW, SECOND, START, ticks
from tests.visualization.history.test_retention import FORGETFUL

CHUNKS = HistoryRetention(tiers=HistoryRetention.everything().tiers, chunk_points=64)

WRITER = """
import sys
from mega_data_factory.history import HistoryRetention, MetricsHistory
retention = HistoryRetention(tiers=HistoryRetention.everything().tiers, chunk_points=500)
history = MetricsHistory(retention, directory=sys.argv[1])
at = 0
while True:
    history.append("n/1", {"cpu": at / 10, "gpu": None if at % 3 else 1.0}, at)
    at += 1
    if at % 100 == 0:
        print(at, flush=True)
"""


def assert_same(one: MetricsHistory, other: MetricsHistory) -> None:
    assert one.nodes() == other.nodes()
    assert one.span() == other.span()
    for node in one.nodes():
        assert sorted(one.metrics(node)) == sorted(other.metrics(node))
        for metric in one.metrics(node):
            left, right = one.series(node, metric), other.series(node, metric)
            for name in ("timestamps", "values", "minimum", "maximum", "interval", "points"):
                np.testing.assert_array_equal(getattr(left, name), getattr(right, name))


def filled(retention: HistoryRetention = CHUNKS, directory: Path | None = None, points: int = 200) -> MetricsHistory:
    history = MetricsHistory(retention, directory)
    for node in ("worker-1", "a/b ü?"):
        history.extend(node, ticks(points), {"cpu": np.arange(points) / 10, "memory": np.sqrt(np.arange(points))})
    history.append("worker-1", {"gpu": 5.0}, START + points * SECOND)
    return history


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    """Sealed and new points, of nodes with any name; and the history goes on undisturbed by being saved."""
    history = filled()
    before = len(history)
    history.save(tmp_path / "saved")
    assert len(history) == before
    loaded = MetricsHistory.load(tmp_path / "saved", CHUNKS)
    assert_same(loaded, history)
    for one in (loaded, history):
        one.append("worker-1", {"cpu": 1.0}, START + 1000 * SECOND)
    assert_same(loaded, history)


def test_thinned_history_is_saved_as_it_is(tmp_path: Path) -> None:
    """Buckets keep their width, extremes and points on disk."""
    history = MetricsHistory(FORGETFUL)
    history.extend("n", ticks(36_000, SECOND // 10), {"cpu": np.random.default_rng(0).random(36_000)})
    history.save(tmp_path / "saved")
    assert_same(MetricsHistory.load(tmp_path / "saved"), history)


def test_others_read_the_folder_as_one_table(tmp_path: Path) -> None:
    """DuckDB finds node and resolution in the names of folders, and values as they were."""
    filled().save(tmp_path / "saved")
    rows = duckdb.connect().execute(
        f"SELECT node_id, resolution, count(*), max(cpu)::DOUBLE FROM read_parquet('{tmp_path}/saved/**/*.parquet', "
        "hive_partitioning = true, union_by_name = true) GROUP BY ALL ORDER BY ALL"
    )
    assert rows.fetchall() == [("a/b ü?", "raw", 200, 19.9), ("worker-1", "raw", 201, 19.9)]


def test_saving_again_replaces_the_former_and_leaves_nothing_else(tmp_path: Path) -> None:
    """One folder, with the last state."""
    history = filled()
    history.save(tmp_path / "saved")
    history.append("third", {"cpu": 1.0}, START)
    history.save(tmp_path / "saved")
    assert [one.name for one in tmp_path.iterdir()] == ["saved"]
    assert_same(MetricsHistory.load(tmp_path / "saved", CHUNKS), history)


def test_saving_over_something_else_is_refused(tmp_path: Path) -> None:
    """A folder or a file that is not a history stays as it is."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("five years")
    (tmp_path / "file").write_text("x")
    for name, message in (("mine", "not a history"), ("file", "is a file")):
        with pytest.raises(HistoryError, match=message):
            filled().save(tmp_path / name)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "five years"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "mine"]


def test_loading_what_is_no_history_is_refused(tmp_path: Path) -> None:
    """Nothing there, and something else there."""
    with pytest.raises(HistoryError, match="there is no"):
        MetricsHistory.load(tmp_path / "nothing")
    with pytest.raises(HistoryError, match="not the folder of a history"):
        MetricsHistory.load(tmp_path)


def test_a_directory_is_gone_on_with(tmp_path: Path) -> None:
    """Closed and opened again, it holds the same, and is Parquet alone while it is closed."""
    with filled(directory=tmp_path / "live"):
        pass
    assert not list(tmp_path.rglob("*.records"))
    with MetricsHistory(CHUNKS, tmp_path / "live") as again:
        assert_same(again, filled())
        again.append("worker-1", {"cpu": 2.0}, START + 999 * SECOND)
    last = MetricsHistory.load(tmp_path / "live").series("worker-1", "cpu")
    assert (last.timestamps[-1], last.values[-1]) == (START + 999 * SECOND, 2.0)


def test_a_live_directory_is_read_by_others_and_written_by_one(tmp_path: Path) -> None:
    """`load` sees even the newest point; a second owner is refused, until the first has closed."""
    history = filled(directory=tmp_path / "live")
    assert_same(MetricsHistory.load(tmp_path / "live", CHUNKS), history)
    with pytest.raises(HistoryError, match="another process"):
        MetricsHistory(CHUNKS, tmp_path / "live")
    with pytest.raises(HistoryError, match="another process"):
        filled().save(tmp_path / "live")
    history.close()
    MetricsHistory(CHUNKS, tmp_path / "live").close()


def test_a_directory_keeps_to_the_retention(tmp_path: Path) -> None:
    """Files of what was thinned are gone; on disk is what is in the history, once."""
    values = np.round(np.random.default_rng(0).random(144_000), 2)
    with MetricsHistory(FORGETFUL, tmp_path / "live") as history:
        history.extend("n", ticks(len(values), SECOND // 10), {"cpu": values})
        points = history.series("n", "cpu").points.sum()
    files = list(tmp_path.rglob("*.parquet"))
    assert {file.parent.name for file in files} == {"resolution=raw", "resolution=10s", "resolution=10min"}
    loaded = MetricsHistory.load(tmp_path / "live", FORGETFUL)
    assert loaded.series("n", "cpu").points.sum() == points == len(values)
    assert sum(file.stat().st_size for file in files) < len(values)


def test_a_killed_process_loses_no_point(tmp_path: Path) -> None:
    """After SIGKILL in the middle of appending, every point that was reported is there, whole, and work goes on."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "live")], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    try:
        for line in writer.stdout:
            if int(line) >= 3_300:
                break
    finally:
        writer.send_signal(signal.SIGKILL)
    reported = int((line + writer.stdout.read()).split()[-1])
    writer.wait()
    writer.stdout.close()
    for history in (MetricsHistory.load(tmp_path / "live"), MetricsHistory(directory=tmp_path / "live")):
        series = history.series("n/1", "cpu")
        assert len(series) >= reported
        np.testing.assert_array_equal(series.timestamps, np.arange(len(series)))
        np.testing.assert_array_equal(series.values, np.arange(len(series)) / 10)
        history.append("n/1", {"cpu": 1.0}, 10**9)
        assert history.span() == (0, 10**9)
        history.close()


def test_a_folder_is_whole_at_every_moment_of_its_being_written(tmp_path: Path) -> None:
    """Read again and again while another process seals and replaces chunks, it has all points so far, each once."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "live")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        try:
            assert writer.stdout is not None
            writer.stdout.readline()
            seen = 0
            for _ in range(12):
                series = MetricsHistory.load(tmp_path / "live").series("n/1", "cpu")
                np.testing.assert_array_equal(series.timestamps, np.arange(len(series)))
                assert len(series) >= max(seen, 100)
                seen = len(series)
        finally:
            writer.kill()


@settings(FEW, max_examples=5)
@given(step=st.integers(200, 900))
def test_killed_between_any_two_steps_on_disk_nothing_is_lost_or_doubled(
    tmp_path_factory: pytest.TempPathFactory, step: int
) -> None:
    """A file that was replaced but not yet removed changes nothing; nor do half-written temporary files."""
    folder = tmp_path_factory.mktemp("history") / "live"
    history = MetricsHistory(FORGETFUL, folder)
    kept: dict[Path, bytes] = {}
    for start in range(0, 12_000, step):
        history.extend("n", ticks(step, SECOND // 10, START + start * SECOND // 10), {"cpu": np.arange(step) / 10})
        kept |= {file: file.read_bytes() for file in folder.rglob("*") if file.suffix in (".parquet", ".records")}
    expected = history.series("n", "cpu")
    stale = {file for file in kept if not file.exists()}
    replaced_last = history._nodes["n"].chunks[-1].facts["replaces"]
    back = [file for file in stale if int(file.stem.strip("_")) in replaced_last]
    for file in back:
        file.write_bytes(kept[file])
    (folder / "node_id=n" / "resolution=raw" / ".000000000001.parquet.tmp").write_bytes(b"PAR1 half")
    loaded = MetricsHistory.load(folder, FORGETFUL).series("n", "cpu")
    np.testing.assert_array_equal(loaded.timestamps, expected.timestamps)
    np.testing.assert_array_equal(loaded.points, expected.points)
    present(history._lock).close()  # as if the process had ended here
    again = MetricsHistory(FORGETFUL, folder)
    np.testing.assert_array_equal(again.series("n", "cpu").points, expected.points)
    assert not any(file.exists() for file in back)
    again.close()


def test_a_damaged_chunk_is_named(tmp_path: Path) -> None:
    """Which file is damaged, in one clear error."""
    filled().save(tmp_path / "saved")
    chunk = next(tmp_path.rglob("*.parquet"))
    chunk.write_bytes(chunk.read_bytes()[:100])
    with pytest.raises(HistoryError, match=chunk.name):
        MetricsHistory.load(tmp_path / "saved")


def test_a_directory_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(HistoryError, match="cannot make"):
        MetricsHistory(directory=tmp_path / "file" / "history")


def test_a_disk_that_takes_no_more_refuses_points_until_it_does_again(tmp_path: Path) -> None:
    """What was taken stays readable; each refused point is an error; nothing is lost or doubled when there is room."""
    history = MetricsHistory(HistoryRetention(tiers=CHUNKS.tiers, chunk_points=8), tmp_path / "live")
    history.append("n", {"cpu": 0.0}, 0)
    place = tmp_path / "live" / "node_id=n"
    place.rename(tmp_path / "aside")
    place.write_text("no folder any more")
    taken = 1
    for at in range(1, 12):
        try:
            history.append("n", {"cpu": float(at)}, at)
        except HistoryError:
            continue
        taken += 1
    assert taken == 7  # the eighth filled the buffer, which could not be sealed
    assert history.series("n", "cpu").values.tolist() == list(range(8))
    place.unlink()
    (tmp_path / "aside").rename(place)
    history.append("n", {"cpu": 99.0}, 99)
    history.close()
    loaded = MetricsHistory.load(tmp_path / "live").series("n", "cpu")
    assert loaded.values.tolist() == [*range(8), 99]


def test_very_long_and_hostile_names_of_nodes_stay_in_the_folder(tmp_path: Path) -> None:
    """Names of any length and with any character are kept; no file lands outside."""
    names = ["x" * 500, "x" * 501, "../../escape", "..", "", "\n<script>", "日本"]
    history = MetricsHistory(CHUNKS)
    for at, name in enumerate(names):
        history.append(name, {"cpu": float(at)}, START)
    history.save(tmp_path / "deep" / "saved")
    loaded = MetricsHistory.load(tmp_path / "deep" / "saved")
    assert loaded.nodes() == sorted(names)
    assert [loaded.series(name, "cpu").values[0] for name in names] == list(range(len(names)))
    assert [one.name for one in tmp_path.iterdir()] == ["deep"]


def test_a_closed_history_takes_no_points(tmp_path: Path) -> None:
    """After close the folder may have another owner: points are refused, and what was added can still be read."""
    history = MetricsHistory(CHUNKS, tmp_path / "live")
    history.append("n", {"cpu": 1.0}, START)
    history.close()
    with pytest.raises(HistoryError, match="closed"):
        history.append("n", {"cpu": 2.0}, START + 1)
    with pytest.raises(HistoryError, match="closed"):
        history.append("other", {"cpu": 2.0}, START + 1)
    assert history.series("n", "cpu").values.tolist() == [1.0]
