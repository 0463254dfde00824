"""Roles of the workers of the local engine: read, run a stage, write."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any, Protocol

import pyarrow as pa

from mega_data_factory.errors import MdfError
from mega_data_factory.framework.batch import Batch
from mega_data_factory.framework.commit.output import OutputFolder
from mega_data_factory.framework.engines.local.claim_server import connect
from mega_data_factory.framework.engines.local.process import WorkerProcess
from mega_data_factory.framework.engines.local.spool import Spool
from mega_data_factory.framework.engines.worker_errors import as_mdf_error
from mega_data_factory.framework.plan import OperatorPlan, StagePlan, When
from mega_data_factory.framework.registry import Component
from mega_data_factory.framework.worker.quarantine import TimedOut, WorkerDied, isolate_poison
from mega_data_factory.framework.worker.reading import ReadTask, read_batches
from mega_data_factory.framework.worker.stage import Stage, StageSettings
from mega_data_factory.framework.worker.without_pandas import keep_pandas_out

Job = Mapping[str, Any]


class _Role(Protocol):
    def handle(self, message: Job) -> Job:
        """Do one piece of work and answer."""

    def close(self) -> None:
        """Give back what the role holds."""


class _Reader:
    """Reads splits; one batch for every message, so that the driver decides how many are on their way."""

    def __init__(self, job: Job) -> None:
        self._loader = Component(**job["loader"]).build()
        self._batch_size: int = job["batch_size"]
        self._spool = Spool(job["spool"])
        self._task: ReadTask
        self._batches: Iterator[Batch]

    def handle(self, message: Job) -> Job:
        if "read" in message:
            self._task = ReadTask.from_json(message["read"])
            self._batches = read_batches(self._loader, self._task, self._batch_size, skip=message["skip"])
        batch = next(self._batches)
        path = self._spool.put(f"{batch.id}.read", batch.table)
        return {"batch": batch.header(), "path": path, "end": self._task.ends_with(batch)}

    def close(self) -> None:
        pass


class _StageRole:
    """Runs one stage. A batch that keeps killing its workers comes with `quarantine`: it is run in a child."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._plan = stage_plan(job["stage"])
        self._claims = connect(job["claims"]) if job["claims"] else None
        self._stage = Stage(self._plan, job["worker_id"], StageSettings(**job["settings"]), self._claims)
        self._spool = Spool(job["spool"])
        self._sandbox: WorkerProcess | None = None

    def handle(self, message: Job) -> Job:
        batch = Batch.from_header(message["batch"], Spool.take(message["path"]))
        batch = replace(batch, attempts=max(batch.attempts, message["attempt"]))
        if message["quarantine"]:
            result = isolate_poison(
                batch,
                self._plan,
                self._in_sandbox,
                self._job["max_attempts"],
                self._claims,
                timed_out=message["timed_out"],
            )
        else:
            result = self._stage(batch, message.get("operators"), too_slow=message.get("too_slow", False))
        path = self._spool.put(f"{batch.id}.{self._plan.index}", result.table)
        return {
            "batch": result.header(),
            "path": path,
            "records": result.table.num_rows,
            "bytes": result.table.nbytes,
        }

    def _in_sandbox(self, batch: Batch, operators: int | None = None, *, too_slow: bool = False) -> Batch:
        if self._sandbox is None:
            self._sandbox = WorkerProcess(self._job)
            self._hear(self._sandbox)  # ready
        path = self._spool.put(f"{batch.id}.{self._plan.index}.part", batch.table)
        work = {"batch": batch.header(), "path": path, "attempt": batch.attempts, "quarantine": False}
        self._sandbox.send({**work, "operators": operators, "too_slow": too_slow})
        answer = self._hear(self._sandbox)
        return Batch.from_header(answer["batch"], Spool.take(answer["path"]))

    def _hear(self, sandbox: WorkerProcess) -> Job:
        answer = sandbox.receive()
        if answer is None:
            self._sandbox = None
            reason, timed_out = sandbox.epitaph(), sandbox.timed_out()
            sandbox.discard()
            raise TimedOut(reason) if timed_out else WorkerDied(reason)
        if "failed" in answer:
            raise MdfError.from_dict(answer["failed"])
        return answer

    def close(self) -> None:
        if self._sandbox is not None:
            self._sandbox.stop()
        self._stage.close()


class _WriterRole:
    """Writes groups of batches as whole files."""

    def __init__(self, job: Job) -> None:
        self._writer = Component(**job["writer"]).build()
        self._output = OutputFolder(**job["output"])

    def handle(self, message: Job) -> Job:
        group = []
        for header, path in message["group"]:
            table = Spool.take(path) if path is not None else pa.table({})
            group.append((Batch.from_header(header, table.slice(0, 0)), table))
        return {"commits": [record.to_json() for record in self._output.write(self._writer, group)]}

    def close(self) -> None:
        pass


_ROLES: dict[str, Callable[[Job], _Role]] = {"read": _Reader, "stage": _StageRole, "write": _WriterRole}


def stage_plan(values: Job) -> StagePlan:
    """Return the stage of which `stage_job` made plain values."""
    return StagePlan(values["name"], values["index"], tuple(map(_operator_plan, values["operators"])), 1, 1)


def _operator_plan(values: Job) -> OperatorPlan:
    when = values["when"]
    return OperatorPlan(
        values["name"],
        values["index"],
        Component(**values["component"]),
        None if when is None else When(**when),
        values["record_timeout"],
    )


def run_role(job: Job, connection: Connection) -> None:
    """Run the role named in the job: answer messages one by one until the driver asks to stop."""

    def send(message: Job) -> None:
        connection.send_bytes(json.dumps(message).encode())

    pa.set_cpu_count(max(1, int(job.get("cpu") or 1)))
    keep_pandas_out()  # before anything is measured
    try:
        role: _Role = _ROLES[job["role"]](job)
        send({"ready": True})
        while "stop" not in (message := json.loads(connection.recv_bytes())):
            send(role.handle(message))
        role.close()
    except Exception as error:  # noqa: BLE001 - every failure is reported to the driver, which ends the run with it
        send({"failed": as_mdf_error(error, job["doing"]).as_dict()})
