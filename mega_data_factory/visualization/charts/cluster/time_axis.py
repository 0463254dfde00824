"""Axis of time of a plot, which reads like a clock."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mega_data_factory.history import Series
from mega_data_factory.visualization.nodes.zone import Zone

_LOOKS = 64
"""Moments at which a clock is looked at, whether it was changed meanwhile."""


@dataclass(frozen=True)
class TimeAxis:
    """Axis of time. It reads like one clock from end to end, also where clocks were changed in between.

    Plotly draws moments as UTC. Those of another zone are moved by what its clock is ahead of UTC at the end of the
    plot: a line neither runs backwards in an hour that clocks repeat, nor breaks in one that they skip.

    Attributes:
        span: start and end, microseconds on the clock since 1970.
        title: zone of the clock.
        ahead: microseconds that the clock is ahead of UTC.
        note: says that clocks were changed in between; empty when they were not.
    """

    span: tuple[int, int]
    title: str
    ahead: int = 0
    note: str = ""

    def at(self, moment: int) -> int:
        """Return what the clock reads at a moment; both in microseconds since 1970."""
        return moment + self.ahead

    def moved(self, series: Series) -> Series:
        """Return a series with what the clock reads as its times."""
        return replace(series, timestamps=series.timestamps + self.ahead) if self.ahead else series


def time_axis(zone: Zone, start: int, end: int) -> TimeAxis:
    """Return the axis from one moment to another, microseconds since 1970-01-01 UTC, as clocks of a zone read."""
    ahead = zone.offset(end)
    changed = any(zone.offset(int(moment)) != ahead for moment in np.linspace(start, end, _LOOKS))
    note = f"clocks were changed in between; all times are those of {zone.title(end)}" if changed else ""
    return TimeAxis((start + ahead, end + ahead), zone.title(end), ahead, note)
