"""Slices of the records of a run: what each operator did with the records of each value of a column."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from mega_data_factory.analytics.runs.totals import by_count
from mega_data_factory.framework.metrics.rows.rollup import top_reason


@dataclass(frozen=True)
class SliceTotals:
    """One slice in one operator.

    Attributes:
        stage, operator: Where.
        by: What it is a slice of: a column, `source_file()` or `domain(column)`.
        kind: `value`, `null` or `other`.
        value: Its value; None if `kind` is not `value`.
        slices: Number of slices that it stands for: 1, or of `other` at most this many.
        input, output, rejected, errors: Records.
        reasons: Records rejected, by reason, the most first.
        missed: Records that it may lack at most, which are in `other`.
        input_text_bytes, output_text_bytes, input_tokens, output_tokens: None if they were not counted.
    """

    stage: str
    operator: str
    by: str
    kind: str
    value: str | None
    slices: int
    input: int
    output: int
    rejected: int
    errors: int
    reasons: Mapping[str, int]
    missed: int = 0
    input_text_bytes: int | None = None
    output_text_bytes: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None

    @property
    def pass_share(self) -> float | None:
        """Output / input; None if nothing came in."""
        return self.output / self.input if self.input else None

    @property
    def top_reason(self) -> str:
        """Most frequent reason of its rejects, in words."""
        return top_reason(self.reasons, self.rejected)


def slices_of(rows: pa.Table, stages: Sequence[str]) -> tuple[SliceTotals, ...]:
    """Return the slices of one run: columns in turn, operators in plan order, the heaviest first and `other` last.

    Args:
        rows: Rows of the table `slices` of one run.
        stages: Names of its stages in plan order.
    """
    places = {stage: place for place, stage in enumerate(stages)}
    found = sorted(rows.to_pylist(), key=lambda row: _order(row, places))
    return tuple(_totals(row) for row in found)


def _order(row: Mapping[str, Any], places: Mapping[str, int]) -> tuple[Any, ...]:
    place = places.get(row["stage_name"], len(places)), row["operator_index"], row["operator_name"]
    return row["slice_by"], *place, row["slice_kind"] == "other", -row["input_records"], row["slice_value"] or ""


def _totals(row: Mapping[str, Any]) -> SliceTotals:
    return SliceTotals(
        stage=row["stage_name"],
        operator=row["operator_name"],
        by=row["slice_by"],
        kind=row["slice_kind"],
        value=row["slice_value"],
        slices=row["slices"],
        input=row["input_records"],
        output=row["output_records"],
        rejected=row["rejected_records"],
        errors=row["error_count"],
        reasons=by_count(json.loads(row["rejected_reasons"] or "{}")),
        missed=row["missed_records"] or 0,
        input_text_bytes=row["input_text_bytes"],
        output_text_bytes=row["output_text_bytes"],
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
    )


def shown_value(value: str) -> str:
    """Return the value of a slice on one line, without characters that a terminal obeys."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in value) or "(empty)"


def by_operator(slices: Sequence[SliceTotals]) -> Iterator[list[SliceTotals]]:
    """Yield the slices of each column in each operator, in their order."""
    group: list[SliceTotals] = []
    for found in slices:
        if group and (found.by, found.stage, found.operator) != (group[0].by, group[0].stage, group[0].operator):
            yield group
            group = []
        group.append(found)
    if group:
        yield group
