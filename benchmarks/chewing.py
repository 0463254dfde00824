"""An operator whose work is known: CPU time in proportion to the bytes of a record; for `false_alarms.py`."""

from __future__ import annotations

import time
import zlib

import pyarrow as pa

from mega_data_factory.framework.contracts import OperatorContext, Refiner


class ChewingRefiner(Refiner):
    """Compresses the text of each record a number of times and passes the records on as they are.

    Args:
        rounds: How often each text is compressed: about 20 ms of CPU for a megabyte and round.
        slow_worker: Id of a worker that is really slow; empty for none.
        factor: How many times as long that worker takes. Half of the slow workers work more, the others sleep.
        sleeps: Whether the slow worker sleeps, as one with a slow disk does, in place of working more.
    """

    def __init__(self, *, rounds: int = 1, slow_worker: str = "", factor: float = 1.0, sleeps: bool = False) -> None:
        self._rounds = rounds
        self._slow_worker = slow_worker
        self._factor = factor
        self._sleeps = sleeps

    def setup(self, context: OperatorContext) -> None:
        """Find out whether this is the slow worker."""
        slow = context.worker_id == self._slow_worker
        self._more = self._factor - 1.0 if slow else 0.0

    def refine(self, table: pa.Table) -> pa.Table:
        """Do the work."""
        texts = [text.encode() for text in table.column("text").to_pylist()]
        started = time.perf_counter()
        _chew(texts, self._rounds)
        if self._more and self._sleeps:
            time.sleep(self._more * (time.perf_counter() - started))
        elif self._more:
            _chew(texts, round(self._rounds * self._more))
        return table


def _chew(texts: list[bytes], rounds: int) -> None:
    for text in texts:
        for _ in range(rounds):
            zlib.compress(text, 6)
