"""Dask jobs with observed steps, each run in a process of its own: `python -m tests.observe.dask_jobs JOB FOLDER`.

A job prints one line of JSON: what a test wants to know of it beside its metrics.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask
import dask.bag as db
import dask.dataframe as dd
import pandas as pd
from distributed import Client, LocalCluster

import mega_data_factory as mdf
from mega_data_factory.observe import ObservedRun
from tests.observe.jobs import calm_and_killed, run_job

RECORDS, PARTITIONS = 6_000, 12


def frame(offset: int = 0) -> dd.DataFrame:
    numbers = range(offset, offset + RECORDS)
    data = pd.DataFrame({"id": numbers, "text": [f"text {number % 7}" for number in numbers]})
    return dd.from_pandas(data, npartitions=PARTITIONS)


def even(part: pd.DataFrame) -> pd.DataFrame:
    return part[part["id"] % 2 == 0]


def judged(part: pd.DataFrame) -> pd.DataFrame:
    """Reject records with two reasons, and report a number."""
    last = part["id"] % 4
    mdf.observe.reject(part[last == 0], "first")
    mdf.observe.reject(part[last == 2], "third")
    mdf.observe.report("odd", int(last.sum()))
    return part[last % 2 == 1]


def not_five(part: pd.DataFrame) -> pd.DataFrame:
    return part[part["text"] != "text 5"]


def is_even(number: int) -> bool:
    return number % 2 == 0


def thirds(numbers: Any) -> list[int]:
    return [number for number in numbers if number % 3 == 0]


@contextmanager
def client() -> Iterator[Client]:
    """Give a client of a cluster of two worker processes, which are started again when they die."""
    patient = {"deploy.lost-worker-timeout": "1h", "scheduler.allowed-failures": 100, "admin.tick.limit": "1h"}
    dask.config.set({f"distributed.{name}": value for name, value in patient.items()})
    where = os.environ["JOB_FOLDER"] + "/dask"
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, local_directory=where
        ) as cluster,
        Client(cluster) as connected,
    ):
        yield connected


def die_once(marks: Path | None, name: str) -> None:
    """Kill this worker process, once for a name; never without a folder of marks."""
    if marks is not None and not (marks / name).exists():
        (marks / name).touch()
        os.kill(os.getpid(), signal.SIGKILL)


def dying(step: Any, marks: Path | None, name: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return a function over partitions that dies in each: the step has delivered, and Dask has no result yet."""

    def run(part: pd.DataFrame) -> pd.DataFrame:
        result: pd.DataFrame = step(part)
        if len(part):
            die_once(marks, f"{name}-{int(part['id'].min())}")
        return result

    return run


def forms(run: ObservedRun, folder: Path) -> Any:
    """Frames, bags, delayed calls, on every scheduler."""
    told: dict[str, int] = {}
    steps = {name: run.step(even, name=name, reason="odd", text="text") for name in ("sync", "threads", "processes")}
    for scheduler, step in steps.items():
        part = frame().map_partitions(step, meta=frame()._meta)
        told[scheduler] = len(part.compute(scheduler=scheduler))
    with client() as connected:
        numbers = db.from_sequence(range(1_000), npartitions=5)
        told["frame"] = len(frame().map_partitions(run.step(even, name="frame")))  # tried on made-up records first
        told["filter"] = len(numbers.filter(run.step(is_even, name="filter", reason="odd")).compute())
        told["map"] = len(numbers.map(run.step(lambda number: number + 1, name="map")).compute())
        told["parts"] = len(numbers.map_partitions(run.step(thirds, name="parts")).compute())
        delayed = dask.delayed(run.step(thirds, name="delayed"))
        told["delayed"] = sum(map(len, dask.compute(*[delayed(list(range(9))) for _ in range(4)])))
        submit = run.step(thirds, name="submit")
        told["submit"] = len(connected.submit(submit, list(range(30)), pure=False).result())
    return told


def kills(run: ObservedRun, folder: Path, marks: Path | None) -> Any:
    """Two steps, the second after a shuffle; with marks, every partition loses its worker."""
    with client():
        judge = run.step(judged, name="judged", stage="judge", text="text")
        clean = run.step(not_five, name="not_five", stage="clean", reason="five")
        data = frame().map_partitions(dying(judge, marks, "judge"), meta=frame()._meta)
        data = data.shuffle("text", npartitions=5, shuffle_method="tasks").map_partitions(
            dying(clean, marks, "clean"), meta=frame()._meta
        )
        count = len(data.compute())
    return {"written": count, "deaths": len(list(marks.iterdir())) if marks else 0}


def actions(run: ObservedRun, folder: Path) -> Any:
    """Three results of one plan, two of one that is kept, one step on two frames; on threads and on a cluster."""
    told: dict[str, int] = {}

    def ask(name: str) -> None:
        data = frame().map_partitions(run.step(even, name=name, reason="odd"), meta=frame()._meta)
        told[f"{name}_head"] = len(data.head(3))
        told[name] = len(data)
        told[f"{name}_sum"] = int(data["id"].sum().compute())
        data.to_parquet(str(folder / name))
        data.compute()
        data.compute()

    ask("threads")
    with client():
        ask("cluster")
        kept = frame().map_partitions(run.step(even, name="kept"), meta=frame()._meta).persist()
        told["kept"] = len(kept) + len(kept)
        both = run.step(even, name="both")
        for offset in (0, 1_000_000):
            told[f"frame_{offset}"] = len(frame(offset).map_partitions(both, meta=frame()._meta))
        step = dask.delayed(run.step(thirds, name="delayed"))(list(range(9)))
        told["delayed"] = len(step.compute()) + len(step.compute())
    return told


def hanging(run: ObservedRun, folder: Path) -> Any:
    """Be counted, and wait to be killed."""
    with client():
        frame().map_partitions(run.step(even, name="even", reason="odd"), meta=frame()._meta).compute()
        (folder / "counted").touch()
        time.sleep(600)


JOBS: dict[str, Callable[[ObservedRun, Path], Any]] = {
    "forms": forms,
    **calm_and_killed(kills),
    "actions": actions,
    "hanging": hanging,
}


if __name__ == "__main__":
    run_job(JOBS)
