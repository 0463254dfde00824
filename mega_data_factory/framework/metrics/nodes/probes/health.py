"""Health of a node: active, degraded or unhealthy, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ACTIVE, DEGRADED, UNHEALTHY = "active", "degraded", "unhealthy"

STATUSES = (ACTIVE, DEGRADED, UNHEALTHY)
"""From well to ill."""


@dataclass(frozen=True)
class Threshold:
    """Limits from which a measurement makes a node degraded or unhealthy.

    Attributes:
        metric: a column of the table `nodes`, in percent.
        name: what it is called in a reason.
        degraded: from here on the node is degraded.
        unhealthy: from here on it is unhealthy.
    """

    metric: str
    name: str
    degraded: float
    unhealthy: float


THRESHOLDS = (
    Threshold("memory_usage", "memory", 90.0, 98.0),
    Threshold("disk_usage", "disk", 90.0, 98.0),
)
"""CPU is not among them: a run that uses all its cores does what it is for."""

RELIEF = 2.0
"""Percentage points below a threshold at which it counts as left, so that a status does not flicker."""

DEGRADED_AT_MISSED = 1
UNHEALTHY_AT_MISSED = 3
"""Heartbeats in a row that a node may miss less than."""


class Health:
    """The status of one node, sample by sample."""

    def __init__(self) -> None:
        self._levels = dict.fromkeys((threshold.metric for threshold in THRESHOLDS), 0)

    def judge(self, measured: Mapping[str, float | None]) -> tuple[str, str | None]:
        """Return status and reason after one more sample.

        Args:
            measured: the metrics of `THRESHOLDS`; one that is None or missing is no reason.

        Returns:
            The status, and why, such as `memory 93 %, disk 98 %`; None when it is active.
        """
        reasons = []
        for threshold in THRESHOLDS:
            value = measured.get(threshold.metric)
            level = self._levels[threshold.metric] = self._level(threshold, value)
            if level and value is not None:
                reasons.append(f"{threshold.name} {value:.0f} %")
        return STATUSES[max(self._levels.values())], ", ".join(reasons) or None

    def _level(self, threshold: Threshold, value: float | None) -> int:
        if value is None:
            return 0
        before = self._levels[threshold.metric]
        limits = (threshold.degraded, threshold.unhealthy)
        return sum(value >= limit - (RELIEF if before > at else 0.0) for at, limit in enumerate(limits))


def missed_heartbeats(silence: float, interval: float) -> int:
    """Return the number of heartbeats that a silent node has missed.

    Args:
        silence: seconds since it was last heard of.
        interval: seconds from one heartbeat to the next. One is missed when the next is due.
    """
    return max(0, int(silence / interval) - 1)


def of_silence(missed: int, silence: float) -> tuple[str, str]:
    """Return status and reason of a node that has missed heartbeats, `DEGRADED_AT_MISSED` at least.

    Args:
        missed: how many in a row.
        silence: seconds since it was last heard of.
    """
    status = UNHEALTHY if missed >= UNHEALTHY_AT_MISSED else DEGRADED
    return status, f"not heard of for {silence:.1f} s"
