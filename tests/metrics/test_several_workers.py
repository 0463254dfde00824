"""Several workers of one run: their rows meet in one collector, and no writer loses those of another."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mega_data_factory.errors import MetricsError
from mega_data_factory.framework.metrics import MetricsCollector, MetricsReader, MetricsWriter, RunMetrics
from tests.operator_rows import row


def tracked(collector: MetricsCollector) -> list[Any]:
    """A collector, and what its `with` blocks give."""
    with collector.track_run() as run, collector.track_stage("s") as stage:
        return [collector, run, stage, collector.track_operator("o", "s", "w")]


@pytest.mark.parametrize("way", ["pickle", "cloudpickle", "dill", "copy", "deepcopy"])
def test_a_collector_stays_in_its_process(collector: MetricsCollector, way: str) -> None:
    """Its copy would count for nobody: one clear error says what to send in its place."""
    ways: dict[str, Callable[[object], object]] = {"pickle": pickle.dumps, "copy": copy.copy, "deepcopy": copy.deepcopy}
    send = ways.get(way) or pytest.importorskip(way).dumps
    for thing in tracked(collector):
        with pytest.raises(TypeError, match=r"cannot be pickled or copied.*MetricsCollector\(run_id\).*add_operator_"):
            send(thing)
        if way != "copy":  # of a list it copies no element
            with pytest.raises(TypeError, match="cannot be pickled or copied"):
                send({"inside": [thing]})


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    """Whatever it writes of the run; what the first wrote stays, and the error says what would be right."""
    MetricsWriter(tmp_path).write_all(RunMetrics("run_test"), [], [row()])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    second = MetricsWriter(tmp_path)
    with pytest.raises(MetricsError, match="another worker or process") as refused:
        second.write_all(RunMetrics("run_test"), [], [row(worker="w1")])
    assert "replace=True" in str(refused.value.hint)
    with pytest.raises(MetricsError, match="another worker or process"):
        second.write_run_metrics(RunMetrics("run_test"))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")} == before
    second.write_operator_metrics([row(run_id="run_other")], "run_other")
    MetricsWriter(tmp_path, replace=True).write_operator_metrics([row(records=7, passed=7)], "run_test")
    assert MetricsReader(tmp_path).operators("run_test")["input_records"].to_pylist() == [7]


def test_a_copy_of_a_writer_is_another_writer(tmp_path: Path) -> None:
    """One that was sent to a worker does not replace what this one wrote, and this one still may."""
    writer = MetricsWriter(tmp_path)
    writer.write_operator_metrics([row()], "run_test")
    for other in (pickle.loads(pickle.dumps(writer)), copy.copy(writer), copy.deepcopy(writer)):
        with pytest.raises(MetricsError, match="another worker or process"):
            other.write_operator_metrics([row(worker="w1")], "run_test")
    writer.write_operator_metrics([row(), row(worker="w1")], "run_test")
    assert MetricsReader(tmp_path).operators("run_test").num_rows == 2


FORKS = """
import multiprocessing, sys
from mega_data_factory.errors import MetricsError
from mega_data_factory.framework.metrics import MetricsWriter, OperatorMetrics

def write(number):
    start.wait(30)
    try:
        writer.write_operator_metrics([OperatorMetrics("run_test", "s", "o", f"w{number}")], "run_test")
        answers.put(f"w{number}")
    except MetricsError as error:
        answers.put(str(error))

fork = multiprocessing.get_context("fork")
start, answers, writer = fork.Barrier(4), fork.Queue(), MetricsWriter(sys.argv[1])
workers = [fork.Process(target=write, args=(number,)) for number in range(4)]
for worker in workers:
    worker.start()
print("\\n".join(answers.get(timeout=60).splitlines()[0] for _ in workers))
for worker in workers:
    worker.join(60)
"""


def test_of_forked_workers_that_write_at_once_one_is_not_refused(tmp_path: Path) -> None:
    """They have the same writer, from before the fork; the one that succeeds keeps its rows."""
    command = [sys.executable, "-c", FORKS, str(tmp_path)]  # alone: this process has threads, which a fork loses
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.splitlines()
    (winner,) = [answer for answer in said if answer in ("w0", "w1", "w2", "w3")]
    assert len(said) == 4
    assert all("another worker or process" in answer for answer in said if answer != winner)
    assert MetricsReader(tmp_path).operators("run_test")["worker_id"].to_pylist() == [winner]


@pytest.mark.parametrize("hard_links", [True, False])
def test_of_threads_that_write_at_once_one_is_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hard_links: bool
) -> None:
    """Also where the file system has no hard links; no temporary file is left."""
    if not hard_links:
        monkeypatch.setattr("os.link", _no_links)
    for attempt in range(20):
        folder = tmp_path / str(attempt)
        if hard_links:
            writers = [MetricsWriter(folder) for _ in range(4)]
            with ThreadPoolExecutor(4) as pool:
                wrote = list(pool.map(lambda pair: _wrote(*pair), [(w, i) for i, w in enumerate(writers)]))
        else:
            wrote = [_wrote(MetricsWriter(folder), number) for number in range(2)]
        assert sum(wrote) == 1
        (path,) = [path for path in folder.rglob("*") if path.is_file()]
        assert MetricsReader(folder).operators("run_test")["worker_id"].to_pylist() == [f"w{wrote.index(True)}"]
        assert path.name == "operators_test.parquet"


def _wrote(writer: MetricsWriter, number: int) -> bool:
    try:
        writer.write_operator_metrics([row(worker=f"w{number}")], "run_test")
    except MetricsError:
        return False
    return True


def _no_links(*_: Path) -> None:
    raise PermissionError(1, "Operation not permitted")


def test_rows_of_workers_meet_in_one_collector(tmp_path: Path) -> None:
    """What the errors recommend works: each worker counts for itself, the driver adds up and writes once."""
    driver = MetricsCollector("run_test")
    with driver.track_run():
        for worker in ("w0", "w1"):
            collector = MetricsCollector("run_test")
            with collector.track_operator("filter", "s", worker) as op:
                op.records(10, 9)
            for sent in pickle.loads(pickle.dumps(collector.drain_operator_metrics())):
                driver.add_operator_metrics(sent)
    MetricsWriter(tmp_path).write_all(
        driver.get_run_metrics(), driver.get_stage_metrics(), driver.get_operator_metrics()
    )
    assert MetricsReader(tmp_path).run("run_test")["total_input_records"] == 20
