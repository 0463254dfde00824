"""Roles of the workers of the local engine: read, run a stage, write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Protocol

import pyarrow as pa

from mega_data_factory.collection import no_collection
from mega_data_factory.errors import MdfError
from mega_data_factory.framework.batch import Batch
from mega_data_factory.framework.commit.output import OutputFolder
from mega_data_factory.framework.engines.commits import write_members
from mega_data_factory.framework.engines.local.claim_server import connect
from mega_data_factory.framework.engines.local.idle_memory import receive_bytes
from mega_data_factory.framework.engines.local.jobs import stage_plan
from mega_data_factory.framework.engines.local.messages import (
    Answer,
    FragmentWork,
    ReadJob,
    StageJob,
    StageWork,
    Work,
    WriteJob,
)
from mega_data_factory.framework.engines.local.polars_import import start_polars
from mega_data_factory.framework.engines.local.processes.process import WorkerProcess
from mega_data_factory.framework.engines.local.spool import Spool
from mega_data_factory.framework.engines.worker_errors import as_mdf_error
from mega_data_factory.framework.registry import Component
from mega_data_factory.framework.worker.quarantine import TimedOut, WorkerDied, isolate_poison
from mega_data_factory.framework.worker.reading import ReadTask, read_batches
from mega_data_factory.framework.worker.stage import Stage, StageSettings
from mega_data_factory.framework.worker.warm_up import run_example
from mega_data_factory.framework.worker.without_pandas import keep_pandas_out


class _Role(Protocol):
    def handle(self, work: Work) -> Answer:
        """Do one piece of work and answer."""

    def close(self) -> None:
        """Close what the role has opened."""


class _Reader:
    """Reads splits; one batch for every message, so that the driver decides how many are in flight."""

    def __init__(self, job: ReadJob) -> None:
        self._loader = Component(**job["loader"]).build()
        self._batch_size = job["batch_size"]
        self._spool = Spool(job["spool"])
        self._task: ReadTask
        self._batches: Iterator[Batch]

    def handle(self, work: Work) -> Answer:
        if work["kind"] == "read":
            self._task = ReadTask.from_json(work["task"])
            self._batches = read_batches(self._loader, self._task, self._batch_size, skip=work["skip"])
        batch = next(self._batches)
        path = self._spool.put(f"{batch.id}.read", batch.table)
        return {"kind": "batch_read", "batch": batch.header(), "path": path, "end": self._task.ends_with(batch)}

    def close(self) -> None:
        pass


class _StageRole:
    """Runs one stage. A batch that keeps killing its workers is quarantined: its parts are run in a child process."""

    def __init__(self, job: StageJob) -> None:
        self._job = job
        self._plan = stage_plan(job["stage"])
        self._claims = connect(job["claims"]) if job["claims"] else None
        self._stage = Stage(self._plan, job["worker_id"], StageSettings(**job["settings"]), self._claims)
        self._spool = Spool(job["spool"])
        self._sandbox: WorkerProcess | None = None
        self._run_example(job["worker_id"])

    def _run_example(self, name: str) -> None:
        """Move a made-up batch as `handle` does, so that the first real one is not charged for what is done once."""
        result = run_example(self._stage.settings)
        path = self._spool.put(f"{name}.example", result.table)
        Spool.read(path)
        Spool.remove(path)

    def handle(self, work: Work) -> Answer:
        assert work["kind"] == "stage" or work["kind"] == "fragment"
        batch = _batch(work["batch"], work["path"])
        if work["kind"] == "fragment":
            result = self._stage(batch, work["operators"], too_slow=work["too_slow"])
        else:
            result = self._run(replace(batch, attempts=max(batch.attempts, work["attempt"])), work)
        return {
            "kind": "stage_done",
            "batch": result.header(),
            "path": self._spool.put(f"{batch.id}.{self._plan.index}", result.table, result.rejects),
            "records": result.table.num_rows,
            "reject_bytes": result.reject_bytes,
            "bytes": result.table.nbytes,
        }

    def _run(self, batch: Batch, work: StageWork) -> Batch:
        if not work["quarantine"]:
            return self._stage(batch)
        return isolate_poison(
            batch,
            self._plan,
            self._in_sandbox,
            self._job["max_attempts"],
            self._claims,
            timed_out=work["timed_out"],
            columns=self._stage.settings.unit_columns,
        )

    def _in_sandbox(self, batch: Batch, operators: int | None = None, *, too_slow: bool = False) -> Batch:
        if self._sandbox is None:
            self._sandbox = WorkerProcess(self._job)
            self._receive(self._sandbox)  # ready
        path = self._spool.put(f"{batch.id}.{self._plan.index}.part", batch.table)
        work: FragmentWork = {
            "kind": "fragment",
            "batch": batch.header(),
            "path": path,
            "operators": operators,
            "too_slow": too_slow,
        }
        self._sandbox.send(work)
        answer = self._receive(self._sandbox)
        assert answer["kind"] == "stage_done"
        return _batch(answer["batch"], answer["path"])

    def _receive(self, sandbox: WorkerProcess) -> Answer:
        answer = sandbox.receive()
        if answer is None:
            self._sandbox = None
            reason, timed_out = sandbox.exit_reason(), sandbox.timed_out()
            sandbox.discard()
            raise TimedOut(reason) if timed_out else WorkerDied(reason)
        if answer["kind"] == "failed":
            raise MdfError.from_dict(answer["error"])
        return answer

    def close(self) -> None:
        if self._sandbox is not None:
            self._sandbox.stop()
        self._stage.close()


class _WriterRole:
    """Writes groups of batches as whole files."""

    def __init__(self, job: WriteJob) -> None:
        self._writer = Component(**job["writer"]).build()
        self._output = OutputFolder(**job["output"])

    def handle(self, work: Work) -> Answer:
        assert work["kind"] == "write"
        commits = write_members(self._writer, self._output, work["members"], Spool.read)
        return {"kind": "file_written", "commits": commits}

    def close(self) -> None:
        pass


def _batch(header: str, path: str) -> Batch:
    parcel = Spool.read(path)
    return Batch.from_header(header, parcel.table, parcel.rejects)


def _role(job: ReadJob | StageJob | WriteJob) -> _Role:
    if job["role"] == "read":
        return _Reader(job)
    return _StageRole(job) if job["role"] == "stage" else _WriterRole(job)


def run_role(job: ReadJob | StageJob | WriteJob, connection: Connection) -> None:
    """Run the role named in the job: answer messages one by one until the driver asks to stop."""

    def send(answer: Answer) -> None:
        connection.send_bytes(json.dumps(answer).encode())

    start_polars()
    pa.set_cpu_count(max(1, int((job["cpu"] if job["role"] == "stage" else None) or 1)))
    keep_pandas_out()  # before anything is measured
    try:
        with no_collection():
            role = _role(job)
        send({"kind": "ready"})
        work: Work
        while (work := json.loads(receive_bytes(connection)))["kind"] != "stop":
            send(role.handle(work))
        role.close()
    except Exception as error:  # noqa: BLE001 - every failure is reported to the driver, which ends the run with it
        send({"kind": "failed", "error": as_mdf_error(error, job["name"]).as_dict()})
