"""Metrics folders of very many runs, and runs of very many operator rows: CPU seconds and memory of common queries.

Each question is asked by a process of its own, in turn with and without the cache of the rows of runs; the seconds are
those of the call, without imports. `--runs N` and `--workers N` make smaller ones.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from metrics_store import make_store

from mega_data_factory.framework.metrics import MetricsReader, MetricsWriter, OperatorMetrics, RunMetrics, StageMetrics
from mega_data_factory.framework.metrics.store.files.row_cache import CACHE
from mega_data_factory.framework.metrics.upkeep.compaction import compact
from mega_data_factory.framework.worker.without_pandas import keep_pandas_out

STAGES, OPERATORS = 4, 5
START = datetime(2026, 1, 1)
WIDE = "run_20260101_000000_wide"


def make_wide(folder: Path, workers: int) -> None:
    """Write one run with STAGES · OPERATORS · workers operator rows."""
    rows = []
    for number in range(STAGES * OPERATORS * workers):
        operator, worker = divmod(number, workers)
        stage = operator // OPERATORS
        row = OperatorMetrics(WIDE, f"stage_{stage}", f"operator_{operator}", f"stage_{stage}-{worker}", START)
        row.stage_index, row.operator_index = stage, operator % OPERATORS
        for batch in range(20):
            lost = 7 + worker % 50 if operator else 0
            row.observe(0.1 + (number * 7 + batch * 13) % 50 / 100, 1000, 1000 - lost, reasons={"too_short": lost})
        rows.append(row)
    stages = [
        StageMetrics.from_operators([row for row in rows if row.stage_index == n], f"stage_{n}") for n in range(STAGES)
    ]
    run = RunMetrics(WIDE, START, START + timedelta(minutes=5), 300.0, STAGES, status="completed", pipeline="wide")
    MetricsWriter(folder).write_all(run, stages, rows)


def list_runs(folder: Path) -> None:
    from mega_data_factory.cli.commands.runs.list_and_show import RunFilter, list_runs

    list_runs(str(folder), RunFilter(), limit=20, as_json=True)


def newest(folder: Path) -> None:
    MetricsReader(folder).levels("latest")


def show(folder: Path) -> None:
    from mega_data_factory.cli.commands.runs.list_and_show import show_run

    show_run(str(folder), WIDE, as_json=False)


def report(folder: Path) -> None:
    from mega_data_factory.cli.commands.views.report import report

    report(str(folder), WIDE, str(folder / "report.html"), samples=False, as_json=True)


QUESTIONS: dict[str, Callable[[Path], object]] = {
    "list": list_runs,
    "newest": newest,
    "show": show,
    "report": report,
    "compact": compact,
}


def answer(question: str, folder: Path) -> None:
    """Ask in this process; print CPU seconds of the call, of the process, and its peak memory in MB."""
    import mega_data_factory.cli.commands.runs.list_and_show  # noqa: F401

    keep_pandas_out()
    stdout, sys.stdout = sys.stdout, open("/dev/null", "w")  # noqa: PTH123, SIM115
    started = time.process_time()
    QUESTIONS[question](folder)
    took = time.process_time() - started
    stdout.write(json.dumps([took, time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3]))


def asked(question: str, folder: Path) -> tuple[float, float, float]:
    command = [sys.executable, __file__, "--ask", question, "--folder", str(folder)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found[0], found[1], found[2]


def row(name: str, answers: list[tuple[float, float, float]]) -> str:
    call, process, memory = (statistics.median(values) for values in zip(*answers, strict=True))
    return f"| {name} | {call:.2f} | {process:.2f} | {memory:.0f} |"


def main(runs: int, workers: int, rounds: int, store: Path | None) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, wide = store or Path(name, "many"), Path(name, "wide")
        if store is None:
            make_store(folder, runs)
        make_wide(wide, workers)
        found: dict[str, list[tuple[float, float, float]]] = {}
        for _ in range(rounds):
            for question in ("list", "newest"):
                found.setdefault(f"{question}, cache", []).append(asked(question, folder))
                (folder / CACHE).rename(folder / "hidden")
                found.setdefault(f"{question}, files alone", []).append(asked(question, folder))
                (folder / "hidden").rename(folder / CACHE)
            for question in ("show", "report"):
                found.setdefault(f"{question}, {STAGES * OPERATORS * workers} rows", []).append(asked(question, wide))
        if store is not None:  # its row cache counts for none of the copies
            folder = Path(shutil.copytree(folder, Path(name, "copy")))
        found["compact"] = [asked("compact", folder)]
    print(f"| {runs} runs, {rounds} rounds | CPU-s of the call | of the process | MB |\n|---|---|---|---|")
    for what, answers in found.items():
        print(row(what, answers))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--store", type=Path, help="a folder of many runs that is there; it is not changed")
    parser.add_argument("--ask", choices=QUESTIONS)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.ask:
        answer(given.ask, given.folder)
    else:
        main(given.runs, given.workers, given.rounds, given.store)
