"""Slices that an operator judges unlike all others."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mega_data_factory.analytics.findings.finding import Finding
from mega_data_factory.analytics.runs.earlier_runs import EarlierRuns
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.runs.slices import SliceTotals, by_operator, shown_value
from mega_data_factory.formats import count, percent, plural

_LEAST_RECORDS = 200
"""Records of a slice below which its pass rate says little."""

_LEAST_SLICES = 4
"""Slices of this size that an operator needs to have: of two that differ neither is the odd one."""

_FAR = 0.25
"""Difference of the rejected share to that of other slices, at least, beyond the error of both."""

_ALIKE = 0.15
"""Half of the other slices lie this close to their median: else slices differ anyway."""

_FEW = 0.1
"""Share of the slices that may be far off, or one of them: where more are, slices differ anyway."""

_GAP = 0.5
"""Part of the whole range of rejected shares that lies between the slices that are far off and the next one, at least
(Dixon's Q): else they are the end of a range. Chosen on half of the runs of `benchmarks/slice_alarms.py`."""

_NAMED = 3
"""Slices that are named, the ones that cost the most records."""

_Z = 4.0
"""Standard deviations of a share. Records of one slice are alike, so the usual 2 would be too few."""


@dataclass(frozen=True)
class _Odd:
    """A slice, and the rejected shares of the others."""

    found: SliceTotals
    median: float
    elsewhere: float

    @property
    def share(self) -> float:
        return self.found.rejected / self.found.input

    @property
    def excess(self) -> float:
        """Records that it would have passed at the median of the others."""
        return (self.share - self.median) * self.found.input


def odd_slices(recording: Recording, _: EarlierRuns) -> Iterator[Finding]:
    """Find slices of which an operator rejects far more than of nearly all others."""
    odd = [found for group in by_operator(recording.slices) for found in _odd_ones(group)]
    same: dict[tuple[str, str, int, int], _Odd] = {}  # a file and its name in a column are one slice, said once
    for one in odd:
        same.setdefault((one.found.stage, one.found.operator, one.found.input, one.found.rejected), one)
    for worst in sorted(same.values(), key=lambda one: -one.excess)[:_NAMED]:
        yield _finding(worst)


def _odd_ones(group: Sequence[SliceTotals]) -> list[_Odd]:
    """Return the slices of one column in one operator that stand apart; none if slices differ anyway."""
    large = [found for found in group if found.kind != "other" and found.input >= _LEAST_RECORDS]
    if len(large) < _LEAST_SLICES:
        return []
    far = [odd for found in large if (odd := _far_off(found, large, group)) is not None]
    if len(far) > max(1, _FEW * len(large)):
        return []
    shares = [each.rejected / each.input for each in large if all(odd.found is not each for odd in far)]
    return [odd for odd in far if odd.share - max(shares) >= _GAP * (odd.share - min(shares))]


def _far_off(found: SliceTotals, large: Sequence[SliceTotals], group: Sequence[SliceTotals]) -> _Odd | None:
    """Return a slice of which far more is rejected than of most others, which are alike; None for any other."""
    records, rejected = sum(each.input for each in group), sum(each.rejected for each in group)
    shares = [other.rejected / other.input for other in large if other is not found]
    median = statistics.median(shares)
    spread = statistics.median(abs(share - median) for share in shares)
    odd = _Odd(found, median, (rejected - found.rejected) / (records - found.input))
    error = _Z * math.sqrt(0.25 / found.input)  # of a share of one half, the largest there is
    is_far = min(odd.share - median, odd.share - odd.elsewhere) >= _FAR + error and spread <= _ALIKE / 2
    return odd if is_far else None


def _finding(odd: _Odd) -> Finding:
    found = odd.found
    name = f"records without {found.by}" if found.value is None else shown_value(found.value)
    rejects = f"rejects {percent(100 * odd.share)} of {name}, {percent(100 * odd.elsewhere)} elsewhere"
    return Finding(
        "advice",
        "odd-slice",
        f"{found.operator} {rejects}",
        f"In {found.stage}, {found.operator} rejected {count(found.rejected)} of {plural(found.input, 'record')} of "
        f"this slice by {found.by}; of half of the other slices it rejects {percent(100 * odd.median)} or less. "
        f"Most frequent reason: {found.top_reason}.",
        {
            "stage": found.stage,
            "operator": found.operator,
            "slice_by": found.by,
            "slice": found.value,
            "input": found.input,
            "rejected": found.rejected,
            "rejected_share": odd.share,
            "rejected_share_elsewhere": odd.elsewhere,
            "median_of_other_slices": odd.median,
        },
        f"Look at its rejected records; `mdf runs show --by '{found.by}'` has all slices.",
    )
