"""Difference between two runs in the records that left at each place, by operator and reason."""

from __future__ import annotations

from dataclasses import dataclass

from mega_data_factory.analytics.runs.flow import Exit, Flow, flow_of
from mega_data_factory.analytics.runs.recording import Recording

_Place = tuple[str, str, str, str]


@dataclass(frozen=True)
class ExitDifference:
    """Records that left at one place for one reason, in two runs.

    Attributes:
        place: Label of the operator; empty for the loader and for workers that died.
        kind: How they left: `rejected`, `error` or `dead_letter`.
        reason: Why, of rejected records.
        before: Records in the earlier run.
        after: Records in the later run.
        moved: Share of all records read that left here, after - before, -1 to 1.
    """

    place: str
    kind: str
    reason: str
    before: int
    after: int
    moved: float


def exit_differences(before: Recording, after: Recording) -> list[ExitDifference]:
    """Return the places and reasons at which another share of the records left, the largest difference first.

    A place that only one of the runs has counts as 0 in the other. Empty if one of the runs read nothing.
    """
    old, new = flow_of(before), flow_of(after)
    if not old.read or not new.read:
        return []
    left_before, left_after = _by_place(old), _by_place(new)
    found = []
    for key in dict.fromkeys([*left_after, *left_before]):
        exit = left_after.get(key) or left_before[key]
        counts = [left[key].records if key in left else 0 for left in (left_before, left_after)]
        moved = counts[1] / new.read - counts[0] / old.read
        if moved:
            place = exit.operator.label if exit.operator else ""
            found.append(ExitDifference(place, exit.kind, exit.reason, counts[0], counts[1], moved))
    return sorted(found, key=lambda difference: -abs(difference.moved))


def _by_place(flow: Flow) -> dict[_Place, Exit]:
    return {
        (
            exit.operator.stage if exit.operator else "",
            exit.operator.name if exit.operator else "",
            exit.kind,
            exit.reason,
        ): exit
        for exit in flow.exits
    }
