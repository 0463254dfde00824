"""Objects that count in the process that made them, and refuse to be copied into another."""

from __future__ import annotations

from typing import NoReturn


class InProcess:
    """Base of objects that must not be pickled or copied: the counts of the copy would be lost."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        """Refuse pickle, cloudpickle, dill, `copy.copy` and `copy.deepcopy`."""
        raise TypeError(
            f"{type(self).__name__} cannot be pickled or copied: what the copy counts in another process would be "
            "lost. Make a collector there, MetricsCollector(run_id), send back what drain_operator_metrics() returns, "
            "and give each row to add_operator_metrics() here; or gather rows with MetricsAggregator"
        )
