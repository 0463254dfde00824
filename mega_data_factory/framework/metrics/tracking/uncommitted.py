"""Ledger of the batches that have passed a stage and are in no file yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from mega_data_factory.framework.metrics.models import OperatorMetrics


@dataclass(slots=True)
class _Account:
    """What one operator on one worker did with these batches."""

    stage_index: int
    operator_index: int
    timestamp: datetime
    batches: int = 0
    input_records: int = 0
    output_records: int = 0
    seconds: float = 0.0


class UncommittedLedger:
    """Adds up what operators measured of batches that are in no file yet.

    It holds a few numbers for every operator and worker, however many batches wait.
    """

    def __init__(self) -> None:
        self._accounts: dict[tuple[str, str, str], _Account] = {}

    def enter(self, rows: Iterable[OperatorMetrics]) -> None:
        """Add what a batch has measured in the stages that it has passed."""
        for row in rows:
            place = row.stage_name, row.operator_name, row.worker_id
            account = self._accounts.get(place)
            if account is None:
                account = self._accounts[place] = _Account(row.stage_index, row.operator_index, row.timestamp)
            elif row.timestamp > account.timestamp:
                account.timestamp = row.timestamp
            account.batches += 1
            account.input_records += row.input_records
            account.output_records += row.output_records
            account.seconds += row.total_time

    def settle(self, rows: Iterable[OperatorMetrics]) -> None:
        """Take out what was entered of a batch, which is committed now or has passed another stage."""
        for row in rows:
            place = row.stage_name, row.operator_name, row.worker_id
            account = self._accounts[place]
            account.batches -= 1
            account.input_records -= row.input_records
            account.output_records -= row.output_records
            account.seconds -= row.total_time
            if not account.batches:  # differences of floating-point numbers leave a rest
                del self._accounts[place]

    def put_into(self, rows: Iterable[OperatorMetrics], run_id: str) -> Iterator[OperatorMetrics]:
        """Set the uncommitted numbers of rows.

        Args:
            rows: one for each operator and worker with a committed batch.
            run_id: of the rows that are made.

        Yields:
            The rows, then one for each operator and worker without a committed batch.
        """
        left = dict(self._accounts)
        for row in rows:
            account = left.pop(row.key[1:], None)
            if account is not None:
                _set(row, account)
            yield row
        for place, account in left.items():
            row = OperatorMetrics(run_id, *place, timestamp=account.timestamp)
            row.stage_index, row.operator_index = account.stage_index, account.operator_index
            _set(row, account)
            yield row


def _set(row: OperatorMetrics, account: _Account) -> None:
    row.uncommitted_input_records = account.input_records
    row.uncommitted_output_records = account.output_records
    row.uncommitted_time = account.seconds
