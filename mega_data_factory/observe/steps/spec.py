"""Specification of a step: everything but its function, and what it knows of its run."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mega_data_factory.observe.connection import Addresses, Connection, connect

if TYPE_CHECKING:
    from mega_data_factory.observe.counting.survey.sheets import Watch
    from mega_data_factory.observe.counting.survey.survey import Survey


class RunRef:
    """What a step knows of its run: enough to deliver accounts from any process.

    Args:
        run_id: the run.
        addresses: of the engines; on the driver a function that gives them as they are now.
    """

    def __init__(self, run_id: str, addresses: Addresses | Callable[[], Addresses]) -> None:
        self.run_id = run_id
        self._addresses = addresses
        self._connected: tuple[int, Connection] | None = None

    def connect(self) -> Connection:
        """Return the connection of this process to the run."""
        pid = os.getpid()
        if self._connected is None or self._connected[0] != pid:
            self._connected = pid, connect(self.run_id, self.addresses)
        return self._connected[1]

    def forget(self) -> None:
        """Connect again at the next call: this process has become the driver."""
        self._connected = None

    def addresses(self) -> Addresses:
        """Return the addresses of the engines."""
        return self._addresses() if callable(self._addresses) else self._addresses

    def __reduce__(self) -> tuple[Any, ...]:
        return RunRef, (self.run_id, dict(self.addresses()))


@dataclass(frozen=True)
class StepSpec:
    """Everything of a step but its function.

    Attributes:
        run: the run.
        id: of the step, distinct within the run.
        name: operator name in the metrics, distinct within the stage.
        stage: stage name in the metrics.
        reason: reason of records that are missing in the output and were not rejected by name; None for no reason.
        text: column whose UTF-8 bytes are counted on the way in and out; None for none.
        on_error: `raise`, or `skip` to set the records aside that raise.
        filters: True: what the function returns is a decision, one for each record. False: it is never one. None: it
            is one where it is a truth value, or a mask of truth values with an entry for each record.
        flat: True: a list returned for one record is many records. False: it is one. None: it is many where its items
            are of the type of the record.
        batched: True: a mapping is a batch of columns. False: it is a record. None: it is a batch where all its values
            are arrays of one length, or lists of one length and at least two.
        count: counts the records of a value that is of no known form; None for one record.
        samples: rejected records to keep as examples, of every reason; 0 keeps none.
        watch: what is looked at of every record; None for nothing.
        index: place of the step in its stage.
    """

    run: RunRef
    id: str
    name: str
    stage: str
    reason: str | None = None
    text: str | None = None
    on_error: str = "raise"
    filters: bool | None = None
    flat: bool | None = None
    batched: bool | None = None
    count: Callable[[Any], int] | None = None
    samples: int = 0
    watch: Watch | None = None
    index: int = 0

    @property
    def is_simple(self) -> bool:
        """Whether a call on one record can be counted by numbers, or in a survey, alone."""
        plain = self.on_error == "raise" and self.filters is not False and self.batched is not True
        return plain and (self.text is None or self.watch is not None)

    def survey(self) -> Survey | None:
        """Return an empty survey of records, where anything is looked at."""
        if self.watch is None:
            return None
        from mega_data_factory.observe.counting.survey.slice_sums import Place
        from mega_data_factory.observe.counting.survey.survey import Survey  # brings Arrow

        return Survey(self.watch, Place(self.stage, self.name, self.index, self.reason))

    def identity(self) -> tuple[Any, ...]:
        """Return what the result of the step depends on beside its function: without the run, and without names.

        A cache keyed by the pickled function (Hugging Face datasets) must not depend on the run.
        """
        return self.on_error, self.filters, self.flat, self.batched
