"""Slices of the records of a stage: what its operators did with the records of each value of one column."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Self

import numpy as np

from mega_data_factory.framework.metrics.details.detail import Detail
from mega_data_factory.framework.metrics.details.slice_counts import COUNTS, Integers, SliceCounts, row_of
from mega_data_factory.redaction import without_credentials

MOST_SLICES = 10_000
"""Slices of one column that a stage counts before the lightest half is added to `other`."""


class StageSlices(Detail):
    """Counts of the slices of one column, in the operators of one stage.

    Every slice is exact while there are at most `MOST_SLICES`. With more, the lighter half is added up as `other`; a
    slice that comes again then has missed at most the records that the heaviest slice left out had had. This is lossy
    counting (Manku and Motwani, 2002) with room instead of a fixed error: each slice carries its own bound, and one
    that was never left out is exact. Nothing is lost: slices and `other` add up to what each operator counts.

    Args:
        stage: Name of the stage.
        column: What the slices are of, as the configuration says it.
        shown: Slices that have rows of their own: the heaviest.
    """

    table: ClassVar[str] = "slices"

    def __init__(self, stage: str, column: str, shown: int) -> None:
        self.stage = stage
        self.column = column
        self.shown = shown
        self._values: list[str | None] = []
        self._places: dict[str | None, int] = {}
        self._operators: dict[str, SliceCounts] = {}
        self._left_out: dict[str, SliceCounts] = {}  # of one slice: all that were left out
        self._left_out_slices = 0
        self._missed = 0  # records that a new slice may have missed
        self._missed_of: dict[int, int] = {}  # place → records that this slice may have missed, where it may

    @classmethod
    def measured(
        cls, stage: str, column: str, shown: int, operator: str, values: Sequence[str | None], counts: SliceCounts
    ) -> Self:
        """Return what one operator did with some records.

        Args:
            stage: Name of the stage.
            column: What the slices are of.
            shown: Slices that have rows of their own.
            operator: Name of the operator instance.
            values: Values of the slices, all distinct; None for null.
            counts: Their counts in that order.
        """
        self = cls(stage, column, shown)
        self._values = list(values)
        self._places = {value: place for place, value in enumerate(self._values)}
        self._operators[operator] = counts
        return self

    def add_operator(self, operator: str, values: Sequence[str | None], counts: SliceCounts) -> None:
        """Add what one more operator did with some of the records.

        Args:
            operator: Name of the operator instance.
            values: Values of the slices, all distinct; None for null.
            counts: Their counts in that order; they become part of this object.
        """
        if values == self._values and operator not in self._operators:
            self._operators[operator] = counts
        else:
            self.add(self.measured(self.stage, self.column, self.shown, operator, values, counts))

    @property
    def key(self) -> tuple[str, ...]:
        """Stage and column."""
        return self.stage, self.column

    @property
    def missed(self) -> int:
        """Records that any slice may have missed at most; 0 while all are exact."""
        return self._missed

    def add(self, other: Self) -> None:
        """Add the slices of other records, in place."""
        places = self._places_of(other._values)
        for name, counts in other._operators.items():
            own = self._operators.setdefault(name, SliceCounts(counts.index, counts.present))
            own.make_room(len(self._values))
            own.add_at(places, counts)
        for place, missed in other._missed_of.items():
            self._missed_of[int(places[place])] = self._missed_of.get(int(places[place]), 0) + missed
        if other._missed:  # what is not among the other's slices may have been left out there
            for place in set(range(len(self._values))) - set(places.tolist()):
                self._missed_of[place] = self._missed_of.get(place, 0) + other._missed
        for name, counts in other._left_out.items():
            self._leave_out(name, counts)
        self._left_out_slices += other._left_out_slices
        self._missed += other._missed
        if len(self._values) > MOST_SLICES:
            self._keep_heaviest(MOST_SLICES // 2)

    def _places_of(self, values: Sequence[str | None]) -> Integers:
        """Return where values are among those of this object, to which the missing ones are added."""
        known = self._places
        for value in values:
            if value not in known:
                if self._missed:
                    self._missed_of[len(self._values)] = self._missed
                known[value] = len(self._values)
                self._values.append(value)
        for counts in self._operators.values():
            counts.make_room(len(self._values))
        return np.fromiter((known[value] for value in values), np.int64, len(values))

    def _weights(self) -> Integers:
        """Return the records of each slice that came in to the operator that most of them came in to."""
        number = len(self._values)
        inputs = [np.zeros(number, np.int64)]
        for counts in self._operators.values():
            counts.make_room(number)
            inputs.append(counts.counts[0, :number])
        weights: Integers = np.max(inputs, axis=0)
        return weights

    def _heaviest_first(self, weights: Integers) -> list[int]:
        """Return the places of all slices; of equals the first by value, so that the order of adding is no matter."""
        return sorted(range(len(weights)), key=lambda place: (-int(weights[place]), self._values[place] or ""))

    def _keep_heaviest(self, number: int) -> None:
        """Leave out all slices but some: those that may have had the most records."""
        weights = self._weights()
        for place, missed in self._missed_of.items():
            weights[place] += missed
        order = self._heaviest_first(weights)
        kept, left_out = np.array(order[:number], np.int64), np.array(order[number:], np.int64)
        for name, counts in self._operators.items():
            sums, reasons = counts.sums(left_out)
            total = {reason: np.array([records]) for reason, records in reasons.items()}
            self._leave_out(
                name, SliceCounts(counts.index, counts.present, sums.reshape(-1, 1), total, set(counts.known))
            )
            self._operators[name] = counts.chosen(kept)
        self._missed = max(self._missed, int(weights[left_out].max()))
        self._left_out_slices += len(left_out)
        self._missed_of = {new: self._missed_of[old] for new, old in enumerate(kept.tolist()) if old in self._missed_of}
        self._values = [self._values[place] for place in kept.tolist()]
        self._places = {value: place for place, value in enumerate(self._values)}

    def _leave_out(self, operator: str, counts: SliceCounts) -> None:
        own = self._left_out.setdefault(operator, SliceCounts(counts.index, counts.present))
        own.add_at(np.zeros(1, np.int64), counts)

    def without_record(self, value: str | None, text_bytes: int, tokens: int) -> Self:
        """Return these slices as if a record that passed all operators here had never come in.

        Args:
            value: Its slice. Where an operator saw it in another one, or left it out, that operator keeps it.
            text_bytes: Bytes of its text when it was lost.
            tokens: Its tokens then.
        """
        result = self.from_wire(self.to_wire())
        place = result._places.get(value)
        if place is not None:
            lost = np.array([1, 1, 0, text_bytes, text_bytes, tokens, tokens])
            for counts in result._operators.values():
                if counts.counts[1, place]:
                    counts.counts[:, place] = np.maximum(counts.counts[:, place] - lost, 0)
        return result

    def explain_missing(self, operator: str, reason: str) -> None:
        """Count records of an operator that neither came out nor raised, and have no reason, as rejected for one.

        Args:
            operator: Name of the operator instance.
            reason: Why they were.
        """
        for group in (self._operators, self._left_out):
            if operator in group:
                counts = group[operator]
                came, went, failed = counts.counts[:3]
                missing = came - went - failed - sum(counts.reasons.values(), np.zeros_like(came))
                if (missing > 0).any():
                    counts.of_reason(reason)[:] += np.maximum(missing, 0)

    # ── to the driver ─────────────────────────────────────────────────────────────────────────────────────────────────

    def to_wire(self) -> list[Any]:
        """Return JSON values: the arrays are compressed."""
        number = len(self._values)
        groups = [(self._operators, number), (self._left_out, 1)]
        names: list[Any] = []
        parts: list[bytes] = [json.dumps(self._values).encode()]
        for operators, size in groups:
            for name, counts in operators.items():
                matrix = np.vstack([counts.counts[:, :size], *(own[:size] for own in counts.reasons.values())])
                kind = "<u4" if matrix.max(initial=0) < 2**32 else "<i8"
                parts.append(matrix.astype(kind).tobytes())
                names.append(
                    [name, counts.index, counts.present, list(counts.reasons), sorted(counts.known), kind, size]
                )
        missed = [self._left_out_slices, self._missed, list(self._missed_of.items())]
        packed = base64.b64encode(zlib.compress(b"".join(parts), 1)).decode()
        return [self.stage, self.column, self.shown, names, len(self._operators), len(parts[0]), packed, missed]

    @classmethod
    def from_wire(cls, values: list[Any]) -> Self:
        """Return the slices of which `to_wire` made `values`."""
        stage, column, shown, names, operators, at, packed, missed = values
        self = cls(stage, column, shown)
        content = zlib.decompress(base64.b64decode(packed))
        self._values = json.loads(content[:at])
        self._places = {value: place for place, value in enumerate(self._values)}
        for number, (name, index, present, reasons, known, kind, size) in enumerate(names):
            rows = len(COUNTS) + len(reasons)
            matrix = np.frombuffer(content, kind, rows * size, at).reshape(rows, size).astype(np.int64)
            at += rows * size * np.dtype(kind).itemsize
            by_reason = {reason: matrix[len(COUNTS) + row].copy() for row, reason in enumerate(reasons)}
            group = self._operators if number < operators else self._left_out
            group[name] = SliceCounts(index, present, matrix[: len(COUNTS)].copy(), by_reason, set(known))
        self._left_out_slices, self._missed, missed_of = missed
        self._missed_of = dict(missed_of)
        return self

    # ── to the store ──────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def has_rows(self) -> bool:
        """Whether an operator was given records with the column."""
        return any(counts.present and counts.counts[0].any() for counts in self._operators.values())

    def rows(self, run_id: str, timestamp: datetime) -> Iterator[Mapping[str, object]]:
        """Yield a row for each of the heaviest slices in each operator, and one for all others together."""
        order = self._heaviest_first(self._weights())
        shown, rest = order[: self.shown], np.array(order[self.shown :], np.int64)
        for name, counts in sorted(self._operators.items(), key=lambda item: item[1].index):
            if not counts.present:
                continue
            named = {
                "run_id": run_id,
                "stage_name": self.stage,
                "operator_name": name,
                "operator_index": counts.index,
                "slice_by": self.column,
                "timestamp": timestamp,
            }
            for place in shown:
                row = row_of(*counts.sums(np.array([place])), counts.known)
                if row["input_records"]:
                    value = self._values[place]
                    yield {
                        **named,
                        "slice_kind": "null" if value is None else "value",
                        "slice_value": None if value is None else without_credentials(value),
                        "slices": 1,
                        "missed_records": self._missed_of.get(place, 0),
                        **row,
                    }
            yield from self._other_row(named, counts, rest)

    def _other_row(self, named: Mapping[str, object], counts: SliceCounts, rest: Integers) -> Iterator[dict[str, Any]]:
        number = int((counts.counts[0, rest] > 0).sum())
        total = SliceCounts(counts.index, True)
        sums, reasons = counts.sums(rest)
        total.counts[:, 0] += sums
        for reason, records in reasons.items():
            total.of_reason(reason)[0] += records
        if str(named["operator_name"]) in self._left_out:
            total.add_at(np.zeros(1, np.int64), self._left_out[str(named["operator_name"])])
        row = row_of(*total.sums(np.array([0])), counts.known)
        if row["input_records"]:
            yield {**named, "slice_kind": "other", "slice_value": None, "slices": number + self._left_out_slices, **row}
