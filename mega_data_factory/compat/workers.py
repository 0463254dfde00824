"""Worker over lists of dicts, outside of a pipeline. A pipeline starts workers of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mega_data_factory import extras
from mega_data_factory.compat.operators import BatchResult, CombinedOperator, Operator, Record
from mega_data_factory.compat.sources import DataWriter


class WorkerBatchResult(BatchResult):
    """Records that passed all operators of a worker, and those that one of them rejected."""


class _Worker:
    """Applies operators to batches.

    Args:
        name: Name of the worker.
        operators: What is applied, in order.
        data_writer: Where passed records go when `should_write` is set.
        rejected_writer: Where rejected records go when `should_write` is set.
        collect_rejected: Whether rejected records are counted and written.
    """

    def __init__(
        self,
        name: str,
        operators: Sequence[Operator],
        data_writer: DataWriter | None = None,
        rejected_writer: DataWriter | None = None,
        collect_rejected: bool = False,
    ) -> None:
        self.name = name
        self.operators = list(operators)
        self.operator = self.operators[0] if len(self.operators) == 1 else CombinedOperator(self.operators)
        self.data_writer = data_writer
        self.rejected_writer = rejected_writer
        self.collect_rejected = collect_rejected
        self._rejected = 0

    def process_batch_with_records(
        self, records: Sequence[Record] | None, should_write: bool = False
    ) -> list[Record] | None:
        """Return the records that pass all operators; None if none does."""
        return self.process_batch_with_rejected_records(records, should_write).passed or None

    def process_batch_with_rejected_records(
        self, records: Sequence[Record] | None, should_write: bool = False
    ) -> WorkerBatchResult:
        """Apply the operators in turn; return what passes all of them, and what one of them rejects."""
        passed, rejected = list(records or ()), []
        for operator in self.operators:
            result = operator.process_batch_with_rejected(passed)
            passed = result.passed
            rejected += result.rejected
        rejected = rejected if self.collect_rejected else []
        self._rejected += len(rejected)
        if should_write:
            _write(self.data_writer, passed)
            _write(self.rejected_writer, rejected)
        return WorkerBatchResult(passed, rejected)

    def get_operator_stats(self) -> dict[str, dict[str, float]]:
        """Return the counts of each operator by the name of its class, for `MetricsAggregator.collect_from_workers`."""
        return {type(operator).__name__: operator.get_stats() for operator in self.operators}

    def get_rejected_count(self) -> int:
        """Return how many records were rejected."""
        return self._rejected


class RayWorker(_Worker):
    """Applies operators to batches, in this process; `RayWorker.remote(...)` does in a Ray actor. See `_Worker`."""

    @classmethod
    def remote(cls, *args: Any, **parameters: Any) -> Any:
        """Start a worker as a Ray actor and return its handle.

        Raises:
            MissingPackageError: Ray is not installed.
        """
        return cls.options().remote(*args, **parameters)

    @staticmethod
    def options(**options: Any) -> Any:
        """Return the actor class with options of Ray, such as `name` and `num_cpus`; its `remote` starts a worker.

        Raises:
            MissingPackageError: Ray is not installed.
        """
        extras.require("ray", "RayWorker.remote")
        import ray

        return ray.remote(_Worker).options(**options)


def _write(writer: DataWriter | None, records: list[Record]) -> None:
    if writer is not None and records:
        writer.write(records)
