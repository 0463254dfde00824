"""Spark: `mapInArrow`, `mapInPandas`, `applyInPandas`, pandas and Arrow UDFs, Python UDFs, `foreachPartition`, RDDs.

A step runs in a Python worker of an executor, as part of a task: an attempt at a partition of a stage. Accounts are
named by stage and partition, go to files in a folder that driver and executors share, and are sorted out on the
driver: see `stage_accounts`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, ClassVar

from mega_data_factory.observe.delivery import Delivery
from mega_data_factory.observe.engines.engine import Task, this_worker
from mega_data_factory.observe.engines.stage_engine import StageEngine


class Spark(StageEngine):
    """The engine of PySpark."""

    name: ClassVar[str] = "spark"
    title: ClassVar[str] = "Spark"
    keeping: ClassVar[str] = "df.cache()"
    guarantees: ClassVar[Mapping[str, str]] = {
        "worker kill": "exact: an attempt at a partition replaces the others, also where an executor is lost and "
        "stages are computed again",
        "driver kill": "what was counted up to the last flush stays, and the run is shown as aborted",
        "speculative attempt": "exact: of all attempts at a partition one counts",
        "re-execution": "a second action on a plan that is not cached, or a stage that is computed again, counts once "
        "where Spark gives the step the same records in the same partition; the notes of the run name it",
    }

    @classmethod
    def version(cls) -> str:
        """Return the version of PySpark."""
        return str(sys.modules["pyspark"].__version__)

    def address(self) -> dict[str, str]:
        """Return the folder of account files, and the application: its stages are numbered from 0."""
        context = getattr(sys.modules["pyspark"], "SparkContext", None)
        active = None if context is None else context._active_spark_context
        return {"folder": super().address(), "application": "" if active is None else str(active.applicationId)}

    def task(self) -> Task | None:
        """Return the task of this Python worker, as Spark's `TaskContext` names it."""
        context = sys.modules["pyspark"].TaskContext.get()
        if context is None:
            return None
        stage = f"{self._address['application']}/{context.stageId()}"
        return self.task_of(stage, str(context.partitionId()), context.taskAttemptId(), _worker())

    def delivery(self, address: Any) -> Delivery:
        """Return the way through files."""
        return super().delivery(address["folder"])


def _worker() -> str:
    """Return a name for this Python worker; where Spark starts one for every task, for the executor that starts it."""
    worker = this_worker()
    return worker if os.environ.get("SPARK_REUSE_WORKER") else f"{worker.rpartition('-')[0]}-{os.getppid()}"
