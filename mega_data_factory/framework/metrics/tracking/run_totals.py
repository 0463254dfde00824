"""Totals of a run that its operators do not know."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from mega_data_factory.errors import did_you_mean
from mega_data_factory.framework.metrics.models import RunMetrics
from mega_data_factory.framework.metrics.rows.fields import columns
from mega_data_factory.framework.metrics.tracking.accounts import amount, whole
from mega_data_factory.framework.metrics.tracking.in_process import InProcess

_RUN_COLUMNS = {column.name: str(column.type) for column in columns(RunMetrics) if column.name != "run_id"}
_WHOLE_COLUMNS = frozenset(name for name, kind in _RUN_COLUMNS.items() if kind.startswith("int"))
_REAL_COLUMNS = frozenset(name for name, kind in _RUN_COLUMNS.items() if "float" in kind)


class RunTotals(InProcess):
    """Totals that the run knows and its operators do not; what `MetricsCollector.track_run` gives.

    Any column of `RunMetrics` may be set, from any thread. Totals that are not set follow from the stages. What else is
    asked of it, the collector answers: a block that only knows the totals can track stages and operators with them.

    Args:
        run_id: the run.
        collector: the collector of the run.

    Attributes:
        run_id: the run.
        values: what was set.
    """

    def __init__(self, run_id: str, collector: object) -> None:
        self.run_id = run_id
        self._collector = collector
        self.values: dict[str, Any] = {}
        self._adding = threading.Lock()

    if not TYPE_CHECKING:  # so that type checkers find misspelt names

        def __getattr__(self, name: str) -> Any:
            """Return an attribute of the collector."""
            if name.startswith("_"):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            return getattr(self._collector, name)

    def set(self, **values: Any) -> None:
        """Set columns of the run row.

        Raises:
            TypeError: one is not a column of `RunMetrics`.
            ValueError: a number is negative, not finite or not whole where it counts something.
        """
        self.values.update({name: _checked(name, value) for name, value in values.items()})

    def add(self, **amounts: float) -> None:
        """Add to columns of the run row, which count from 0.

        Raises:
            TypeError: one is not a column of `RunMetrics`.
            ValueError: an amount is negative, not finite or not whole where it counts something.
        """
        checked = {name: _checked(name, more) for name, more in amounts.items()}
        with self._adding:
            self.values.update({name: self.values.get(name, 0) + more for name, more in checked.items()})


def _checked(column: str, value: Any) -> Any:
    if column not in _RUN_COLUMNS:
        raise TypeError(f"{column!r} is not a column of RunMetrics; {did_you_mean(column, _RUN_COLUMNS)}")
    if value is None:
        return None
    if column in _WHOLE_COLUMNS:
        return whole(column, value)
    return amount(column, value) if column in _REAL_COLUMNS else value
