"""Comparison of runs in words and tables, as terminal, report and dashboard show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mega_data_factory.analytics.comparison import Comparison, OperatorDifference
from mega_data_factory.analytics.comparison.decomposition import Part
from mega_data_factory.analytics.comparison.pass_rates import PointsDifference
from mega_data_factory.analytics.runs.exits import ExitDifference
from mega_data_factory.analytics.runs.totals import OperatorTotals
from mega_data_factory.analytics.series.ratio import Ratio
from mega_data_factory.formats import NOTHING, count, moment, percent, plural, seconds
from mega_data_factory.reports.operator_table import Row

DIFFERENCE_COLUMNS = ("seconds / record", "before", "change", "95 % interval", "verdict", "pass", "pass before")

_EXITS_SHOWN = 3

_LEAST_POINTS = 0.1
"""Percentage points that one decimal shows."""

_VERDICTS = {"same": "no clear difference", "unclear": "not clear"}

_PARTS_SHOWN = 12
_REASONS_SHOWN = 20


@dataclass(frozen=True)
class ComparedTable:
    """A table of a comparison.

    Attributes:
        title: What it shows.
        first: Heading of the first column.
        columns: Headings of the others.
        rows: Cells, that of the first column included.
        note: What has to be said below it; empty for nothing.
        words: Whether the cells are texts and not numbers.
    """

    title: str
    first: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    words: bool = False


def comparison_tables(comparison: Comparison) -> list[ComparedTable]:
    """Return the tables of a comparison beside that of the operators' speed; those without a row are left out."""
    parts, sliced = _parts(comparison.parts), _parts(comparison.sliced_parts)
    sliced = replace(sliced, title=f"{sliced.title}, by slice")
    found = [parts, sliced, _pass_rates(comparison), _reasons(comparison), _nodes(comparison), _beside(comparison)]
    return [table for table in found if table.rows]


def _parts(parts: Sequence[Part]) -> ComparedTable:
    shown, others = parts[:_PARTS_SHOWN], parts[_PARTS_SHOWN:]
    rows = [(_part_name(part), _signed(part.points), count(part.after), count(part.before)) for part in shown]
    if others:
        points = _signed(sum(part.points for part in others))
        rows.append((plural(len(others), "smaller part"), points, "", ""))
    if rows:
        rows.append(("together", _signed(sum(part.points for part in parts)), "", ""))
    note = "points: percentage points of the records read; the parts add up to the total"
    columns = ("points", "records", "before")
    return ComparedTable("What the difference is made of", "stage / operator", columns, tuple(rows), note)


def _part_name(part: Part) -> str:
    what = {
        "rejected": part.reason,
        "error": f"errors ({part.reason})" if part.reason else "errors",
        "dead_letter": "dead letters",
        "created": "created records",
        "unaccounted": "not accounted for",
        "mixture": "share of the input",
    }[part.kind]
    where = f"{part.place}: " if part.place else ""
    which = ", ".join(f"{name} {value}" for name, value in part.slice)
    return f"{where}{what} [{which}]" if which else f"{where}{what}"


def _pass_rates(comparison: Comparison) -> ComparedTable:
    rows = [("run", *_points_cells(comparison.kept))]
    by_stage: dict[str, list[OperatorDifference]] = {}
    for operator in comparison.operators:
        by_stage.setdefault(operator.operator.stage, []).append(operator)
    stages = {stage.name: stage for stage in comparison.stages}
    for name, operators in by_stage.items():
        if name in stages:
            rows.append((f"stage {name}", *_points_cells(stages[name].passed)))
        rows += [
            (f"{name} / {d.operator.name}", *_points_cells(d.passed))
            for d in operators
            if d.before is not None and d.after is not None
        ]
    if comparison.errors.points is not None and (comparison.errors.before or comparison.errors.after):
        rows.append(("set aside as errors", *_points_cells(comparison.errors)))
    note = "exact: the same records were judged, so a difference is no chance"
    shown = note if any(row[-1] == "exact" for row in rows) else ""
    return ComparedTable("Pass rates", "", ("pass", "before", "points", "95 % interval"), tuple(rows), shown)


def _points_cells(found: PointsDifference) -> tuple[str, ...]:
    if found.points is None:
        return (percent(found.after), percent(found.before), NOTHING, "")
    within = "exact" if found.exact else ""
    if found.low is not None and found.high is not None:
        within = f"{_signed(found.low)} to {_signed(found.high)}"
    return (percent(found.after), percent(found.before), _signed(found.points), within)


def _reasons(comparison: Comparison) -> ComparedTable:
    every = [(d, reason) for d in comparison.operators for reason in d.reasons if reason.share.points]
    every.sort(key=lambda pair: -abs(pair[1].share.points or 0.0))
    rows = [
        (
            f"{d.operator.label}: {reason.reason or 'errors'}",
            count(reason.after),
            count(reason.before),
            *_points_cells(reason.share)[2:],
        )
        for d, reason in every[:_REASONS_SHOWN]
    ]
    columns = ("records", "before", "points", "95 % interval")
    note = "points: of the records that came in to the operator"
    return ComparedTable("Reasons and errors by operator", "stage / operator", columns, tuple(rows), note)


def _nodes(comparison: Comparison) -> ComparedTable:
    rows = tuple(
        (node.name, node.after.text if node.after else NOTHING, node.before.text if node.before else NOTHING)
        for node in comparison.nodes
    )
    note = "CPU: mean of the node, and what the run itself used; memory: highest"
    return ComparedTable("Nodes", "node", ("this run", "before"), rows, note, words=True)


def _beside(comparison: Comparison) -> ComparedTable:
    rows = tuple((side.name, side.after, side.before) for side in comparison.surroundings if side.differs)
    title = "Versions, input and workers that differ"
    return ComparedTable(title, "", ("this run", "before"), rows, words=True)


def _signed(points: float) -> str:
    """Return percentage points with their sign: `-3.9`, `+0.04`; what is smaller is not rounded to nothing."""
    if points and abs(points) < 0.0005:
        return "+<0.001" if points > 0 else "-<0.001"
    digits = 1 if abs(points) >= 1 or not points else 2 if abs(points) >= 0.1 else 3
    return f"{points:+.{digits}f}" if points else "0"


# ── the operators' speed ──────────────────────────────────────────────────────────────────────────────────────────────


def difference_rows(comparison: Comparison) -> list[Row]:
    """Return a row for each operator of two runs."""
    return [Row(d.operator.label, _difference_cells(d, comparison)) for d in comparison.operators]


def _difference_cells(d: OperatorDifference, comparison: Comparison) -> list[str]:
    if d.before is None or d.after is None:
        lacking, verdict = (comparison.before, "new") if d.before is None else (comparison.after, "gone")
        if lacking.run.get("status") != "completed":  # it may not have come to the operator
            verdict = "not counted"
        return ["", "", "", "", verdict, _passed(d.after), _passed(d.before)]
    ratio = d.cost
    times = f"{ratio.value:.2f} times" if ratio else ""
    within = f"{ratio.low:.2f} to {ratio.high:.2f}" if ratio and ratio.low and ratio.high else ""
    changed = " (changed)" if d.pass_changed else ""
    passes = [f"{_passed(d.after)}{changed}", _passed(d.before)]
    before, after = d.costs
    is_counted = before is not None and after is not None
    verdict = "not counted" if d.speed == "unclear" and not is_counted else _VERDICTS.get(d.speed, d.speed)
    of = " CPU" if d.measure == "cpu" else ""
    return [f"{seconds(after)}{of}", seconds(before), times, within, verdict, *passes]


def _passed(operator: OperatorTotals | None) -> str:
    share = operator.pass_share if operator else None
    return percent(None if share is None else 100 * share)


def _pass_words(comparison: Comparison) -> Iterator[str]:
    """Yield how many records were kept in both runs, and where another number of them left."""
    if comparison.pass_points is None:
        return
    kept = [
        f"{count(run.get('total_output_records') or 0)} of {count(run.get('total_input_records'))}"
        for run in (comparison.after.run, comparison.before.run)
    ]
    source = ", read from the same source" if comparison.same_source else ""
    yield f"Kept {kept[0]} records, before {kept[1]}{source}: {_points(comparison.pass_points)}."
    if comparison.exits:
        yield f"{'; '.join(_exit_words(d) for d in comparison.exits[:_EXITS_SHOWN])}."
    if comparison.parts and (made := made_of(comparison)):
        yield made
    if comparison.by_chance and not any(d.pass_changed for d in comparison.operators):
        yield "Two samples of the same data, of the sizes of these two runs, differ as much by chance."


def _points(points: float) -> str:
    """Return a difference of pass rates in words; a small one is not rounded to none."""
    if points and abs(points) < _LEAST_POINTS:
        return f"{'more' if points > 0 else 'less'} by under {_LEAST_POINTS} percentage points"
    return f"{points:+.1f} percentage points" if points else "the same pass rate"


def _exit_words(d: ExitDifference) -> str:
    what = {"rejected": f"Rejected for {d.reason}", "error": "Errors", "dead_letter": "Dead letters"}[d.kind]
    where = f" in {d.place}" if d.place else " in the loader" if d.kind == "error" else ""
    return f"{what}{where}: {count(d.after)}, before {count(d.before)}"


def _times(ratio: Ratio) -> str:
    within = f", 95 % interval {ratio.low:.2f} to {ratio.high:.2f}" if ratio.low and ratio.high else ""
    return f"{ratio.value:.2f} times{within}"


def _clear(verdict: str) -> str:
    return {"same": ": no clear difference", "unclear": ": too few samples, or too disturbed, to tell"}.get(verdict, "")


def comparison_sentences(comparison: Comparison) -> list[str]:
    """Return the differences of two runs as sentences."""
    before: Mapping[str, Any] = comparison.before.run
    words = [f"Compared with {comparison.before.run_id}, started {moment(before.get('start_time'))} UTC."]
    if len(comparison.baseline) > 1:
        oldest = comparison.baseline[-1].run.get("start_time")
        words = [f"Compared with {len(comparison.baseline)} runs since {moment(oldest)} UTC, together."]
    ratio = comparison.throughput
    if ratio is not None:
        words.append(f"Throughput while working: {_times(ratio)}{_clear(comparison.speed)}.")
    if comparison.cost is not None and comparison.cost_measure == "cpu":
        words.append(f"CPU for a record: {_times(comparison.cost)}{_clear(comparison.cost_speed)}.")
    words += _pass_words(comparison)
    matter = sum(change.matters for change in comparison.changes)
    words.append(
        f"{plural(matter, 'key')} of the configuration {'was' if matter == 1 else 'were'} changed."
        if matter
        else "Both were configured to do the same."
    )
    return words


def made_of(comparison: Comparison, most: int = 3) -> str:
    """Return what a difference of the share kept is made of, in a sentence; empty if it is none.

    The parts that are named and the rest add up to the whole: `Kept 5.1 points less: -3.9 from filter / language:
    low_score, -0.8 from …, -0.4 from 3 others.`
    """
    points = comparison.kept.points
    if not points or abs(points) < _LEAST_POINTS:
        return ""
    named = [part for part in comparison.parts[:most] if abs(part.points) >= _LEAST_POINTS]
    others = comparison.parts[len(named) :]
    words = [f"{_signed(part.points)} from {_part_name(part)}" for part in named]
    if others:
        words.append(f"{_signed(sum(part.points for part in others))} from {plural(len(others), 'other')}")
    more = "more" if points > 0 else "less"
    return f"Kept {_signed(abs(points)).lstrip('+')} points {more}: {', '.join(words)}."
