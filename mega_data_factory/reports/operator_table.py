"""Table of the stages and operators of a run, as terminal, report and dashboard show it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mega_data_factory.analytics.costs import RunCost
from mega_data_factory.analytics.findings.uncommitted import COLUMN, NOTE, uncommitted_cell
from mega_data_factory.analytics.runs.totals import OperatorTotals, StageTotals
from mega_data_factory.formats import NOTHING, count, money, percent, rate, seconds, size

TOP_REASON = "top reason"

_COLUMNS = ("in", "out", "rejected", "errors", "pass", "busy", "per worker", "p50", "p95", "p99", TOP_REASON)

_COST = "cost"

_CREATED, _UNMATCHED, _CHANGED = "created", "not matched", "changed"

_EXPLAINED = {
    _CREATED: "created: records made beside those that came in; in + created = out + rejected + errors",
    _UNMATCHED: "not matched: records of `out` that passed untouched because of the operator's `when`",
    _CHANGED: "changed: records of `out` with another value than before in a column that they came with",
    COLUMN: NOTE,
    _COST: "cost: share of the cost of the run, by busy seconds",
    "busy": "busy: seconds over all workers",
    "text out": "text in, text out: bytes of text",
    "per worker": "per worker: records per busy second",
    "p99": "p50 to p99: seconds per record, within 0.6 %",
}
"""Heading → meaning of the column."""

_RARE = (_CREATED, _UNMATCHED, _CHANGED, COLUMN)

UNIT_COLUMNS = {
    "text in": "input_text_bytes",
    "text out": "output_text_bytes",
    "tokens in": "input_tokens",
    "tokens out": "output_tokens",
}
"""Heading → count of the unit, which has a column if known of any operator."""


@dataclass(frozen=True)
class Row:
    """One row of the table of operators.

    Attributes:
        name: of the stage or operator.
        cells: one for each column.
        stage: whether it sums up a stage.
        workers: of a stage, how many worked in it, in words.
    """

    name: str
    cells: Sequence[str]
    stage: bool = False
    workers: str = ""

    @property
    def label(self) -> str:
        """Name and workers."""
        return f"{self.name} · {self.workers}" if self.workers else self.name


def operator_table(stages: Sequence[StageTotals], cost: RunCost | None = None) -> tuple[list[str], list[Row]]:
    """Return the columns, and the rows of stages and, below each, its operators.

    What few runs have, such as records that were created or are in no file yet, has a column only if there is some.

    Args:
        stages: of a run, or some of them.
        cost: of the run; None for a table without costs.
    """
    columns, rows = list(_COLUMNS), [row for stage in stages for row in _stage_rows(stage)]
    for before, heading, cells in [*_rare_columns(stages), *_cost_column(stages, cost)]:
        at = columns.index(before)
        columns.insert(at, heading)
        rows = [
            replace(row, cells=[*row.cells[:at], cell, *row.cells[at:]]) for row, cell in zip(rows, cells, strict=True)
        ]
    return columns, rows


def explanations(columns: Sequence[str]) -> list[str]:
    """Return what the columns of a table mean: first, each by itself, those that few runs have; then the others."""
    rare = [_EXPLAINED[column] for column in _RARE if column in columns]
    usual = [text for column, text in _EXPLAINED.items() if column in columns and column not in _RARE]
    return [*rare, *(["; ".join(usual)] if usual else [])]


def _stage_rows(stage: StageTotals) -> Iterator[Row]:
    cells = [*_common_cells(stage), "", "", "", ""]
    yield Row(stage.name, cells, stage=True, workers=stage.workers_text)
    for operator in stage.operators:
        latencies = [seconds(operator.latency(q)) for q in (0.50, 0.95, 0.99)]
        yield Row(operator.name, [*_common_cells(operator), *latencies, operator.top_reason])


def _common_cells(totals: StageTotals | OperatorTotals) -> list[str]:
    """Return the cells that stages and operators have alike."""
    passed = None if totals.pass_share is None else 100 * totals.pass_share
    counts = [count(number) for number in (totals.input, totals.output, totals.rejected, totals.errors)]
    return [*counts, percent(passed), seconds(totals.busy), rate(totals.rate)]


def _rare_columns(stages: Sequence[StageTotals]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield columns that some runs have: the one that each stands before, its heading, and a cell for every row."""
    operators = [operator for stage in stages for operator in stage.operators]
    if any(operator.created for operator in operators):
        yield "out", _CREATED, [cell for stage in stages for cell in _created_cells(stage)]
    if any(operator.unmatched for operator in operators):
        yield "rejected", _UNMATCHED, [cell for stage in stages for cell in _unmatched_cells(stage)]
    if any(operator.changed_records for operator in operators):
        yield "rejected", _CHANGED, [cell for stage in stages for cell in _changed_cells(stage)]
    cells = [cell for stage in stages for cell in _uncommitted_cells(stage)]
    if any(cell != NOTHING for cell in cells):
        yield "pass", COLUMN, cells
    for heading, unit in UNIT_COLUMNS.items():
        if any(getattr(operator, unit) is not None for operator in operators):
            rows = [row for stage in stages for row in (stage, *stage.operators)]
            yield "busy", heading, [unit_text(heading, getattr(row, unit)) for row in rows]


def _cost_column(stages: Sequence[StageTotals], cost: RunCost | None) -> Iterator[tuple[str, str, list[str]]]:
    if cost is None:
        return
    spent = {(part.stage, part.operator): part.money for part in (*cost.parts, *cost.stages)}
    places = [
        place for stage in stages for place in ((stage.name, ""), *((stage.name, o.name) for o in stage.operators))
    ]
    yield "p50", _COST, [money(spent.get(place, 0.0), cost.currency) for place in places]


def unit_text(heading: str, number: int | None) -> str:
    """Return the text of a number below one of the headings of `UNIT_COLUMNS`."""
    if number is None:
        return NOTHING
    return size(number) if heading.startswith("text") else count(number)


def _created_cells(stage: StageTotals) -> Iterator[str]:
    yield count(stage.created)
    yield from (count(operator.created) for operator in stage.operators)


def _unmatched_cells(stage: StageTotals) -> Iterator[str]:
    yield ""
    yield from (count(operator.unmatched) for operator in stage.operators)


def _changed_cells(stage: StageTotals) -> Iterator[str]:
    yield ""
    yield from ("" if o.changed_records is None else count(o.changed_records) for o in stage.operators)


def _uncommitted_cells(stage: StageTotals) -> Iterator[str]:
    yield uncommitted_cell(stage.operators[0].uncommitted_input, stage.operators[-1].uncommitted_output)
    for o in stage.operators:
        yield uncommitted_cell(o.uncommitted_input, o.uncommitted_output, o.uncommitted_busy)
