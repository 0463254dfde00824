"""Scores of the rules of one operator: a histogram for every rule, and which rules records failed together."""

from __future__ import annotations

import base64
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Self

import numpy as np

from mega_data_factory.framework.metrics.details.detail import Detail
from mega_data_factory.framework.metrics.details.score_buckets import LAST_BUCKET, Bools, Floats, Integers, buckets_of

SIDES = ("kept", "failed_other", "failed_alone", "failed_both")
"""What became of a record, seen from one rule: it passed all rules, it passed this rule and failed another, it failed
this rule alone, it failed this rule and another."""

_UNSCORED = LAST_BUCKET + 1
"""Bucket of records that a rule judged without a number: null or NaN."""

_WIDTH = LAST_BUCKET + _UNSCORED + 1

MOST_PATTERNS = 64
"""Patterns of failed rules that the rows of an operator name; the rest is one number."""

_KEPT_PATTERNS = 4096
"""Patterns that are counted during a run before the rarest are dropped to the rest."""


MOST_NAMED = 128
"""Rules that are known by the reasons of rejected records alone, with their own counts in one operator; what rules
beyond these made of records is left out. A filter may choose a threshold for every record: each one looks like a rule.
"""

_BITS_OF_A_NUMBER = 62
"""Rules whose pattern of failures fits in an int64."""


@dataclass(frozen=True)
class RuleName:
    """A rule as its rows name it; of one operator those that are equal here add up, the first to the first and so on.

    Attributes:
        reason: Reason of the records that it rejects.
        parameter: Parameter of the operator that is its threshold; None where none is.
        fails: How score and threshold compare for a record that fails: `<`, `<=`, `>`, `>=`; None if unknown.
        threshold: What the score is compared with; None where nothing is.
        judged: Whether the scores are of all records that the rule judged; False for those of rejected records alone.
    """

    reason: str
    parameter: str | None = None
    fails: str | None = None
    threshold: float | None = None
    judged: bool = True


@dataclass(frozen=True)
class Scored:
    """What the rules of an operator made of some records, as arrays of one row a rule and one column a record.

    Attributes:
        failed: Whether the record fails the rule.
        judged: Whether the rule could decide on the record at all.
        scores: The number that was compared, or NaN.
    """

    failed: Bools
    judged: Bools
    scores: Floats


class OperatorScores(Detail):
    """Scores of the rules of one operator.

    Every record that a rule judged is in one cell of the rule: the bucket of its score, and one of `SIDES`. So the
    threshold of the run is an exact border, whatever the buckets are.

    Args:
        stage: Name of the stage.
        operator: Name of the operator instance.
        rules: Its rules, in the order in which they decide.
    """

    table: ClassVar[str] = "scores"

    def __init__(self, stage: str, operator: str, rules: Sequence[RuleName]) -> None:
        self.stage = stage
        self.operator = operator
        self.rules = list(rules)
        self._rejected = np.zeros(len(self.rules), np.int64)  # records of which it is the first rule that they fail
        self._extremes = _no_extremes(len(self.rules))
        self._whole = np.ones(len(self.rules), np.bool_)
        self._cells: Integers = np.empty(0, np.int64)  # (rule, bucket, side) as one number, sorted
        self._counts: Integers = np.empty(0, np.int64)
        self._patterns: dict[int, int] = {}  # failed rules, as bits → records
        self._other_patterns = 0
        self._wire: list[Any] | None = None  # as made last, until something is added

    @classmethod
    def measured(cls, stage: str, operator: str, rules: Sequence[RuleName], scored: Scored) -> Self:
        """Return the scores of some records.

        Args:
            stage: Name of the stage.
            operator: Name of the operator instance.
            rules: Its rules.
            scored: What they made of the records.
        """
        self = cls(stage, operator, rules)
        failed = scored.failed
        failures = failed.sum(axis=0, dtype=np.int32)
        unscored = np.isnan(scored.scores)
        self._count_cells(scored, unscored, failures)
        some = failures > 0
        if some.any():
            failing = failed[:, some]
            self._rejected += np.bincount(failing.argmax(axis=0), minlength=len(rules))
            self._patterns = _patterns(failing)
        self._note_values(scored, unscored)
        return self

    def _count_cells(self, scored: Scored, unscored: Bools, failures: Integers) -> None:
        buckets = buckets_of(scored.scores)
        buckets[unscored] = _UNSCORED
        cells = np.arange(len(self.rules), dtype=np.int64)[:, None] * _WIDTH + LAST_BUCKET + buckets
        cells *= len(SIDES)
        cells += scored.failed * np.int64(2)
        cells += failures > scored.failed
        self._cells, self._counts = _counted(cells[scored.judged])

    def _note_values(self, scored: Scored, unscored: Bools) -> None:
        """Note least and greatest score on either side, and whether all scores are whole numbers."""
        with_number = ~unscored
        for side, chosen in enumerate((scored.judged & ~scored.failed, scored.failed)):
            known = chosen & with_number
            self._extremes[:, 2 * side] = np.where(known, scored.scores, np.inf).min(axis=1, initial=np.inf)
            self._extremes[:, 2 * side + 1] = np.where(known, scored.scores, -np.inf).max(axis=1, initial=-np.inf)
        self._whole = ((scored.scores == np.rint(scored.scores)) | unscored | ~scored.judged).all(axis=1)

    @property
    def key(self) -> tuple[str, ...]:
        """Stage and operator."""
        return self.stage, self.operator

    def add(self, other: Self) -> None:
        """Add the scores of other records of the same operator, in place; rules that are new here come last.

        Of rules that are known by reasons alone, those beyond `MOST_NAMED` are left out.
        """
        self._wire = None
        places = self._places_of(other.rules)
        if (places < 0).any():
            other, places = other._of_rules(places >= 0), places[places >= 0]
        self._rejected[places] += other._rejected
        self._whole[places] &= other._whole
        for column, choose in enumerate((np.minimum, np.maximum, np.minimum, np.maximum)):
            self._extremes[places, column] = choose(self._extremes[places, column], other._extremes[:, column])
        same = (places == np.arange(len(places))).all()
        self._add_cells(other._cells if same else _moved(other._cells, places), other._counts)
        for pattern, records in other._patterns.items():
            moved = pattern if same else _moved_pattern(pattern, places)
            self._patterns[moved] = self._patterns.get(moved, 0) + records
        self._other_patterns += other._other_patterns
        if len(self._patterns) > _KEPT_PATTERNS:
            self._drop_patterns(_KEPT_PATTERNS // 2)

    def _places_of(self, rules: Sequence[RuleName]) -> Integers:
        """Return where rules are among those of this object, to which the missing ones are added; -1 without room."""
        if self.rules == rules:
            return np.arange(len(rules))
        known = {key: place for place, key in enumerate(_numbered(self.rules))}
        wanted = list(_numbered(rules))
        missing = [key for key in wanted if key not in known]
        named = [key for key in missing if not key[0].judged]
        without_room = {*named[max(MOST_NAMED - sum(not rule.judged for rule in self.rules), 0) :]}
        missing = [key for key in missing if key not in without_room]
        known |= {key: len(self.rules) + number for number, key in enumerate(missing)}
        self.rules += [rule for rule, _ in missing]
        self._rejected = np.append(self._rejected, np.zeros(len(missing), np.int64))
        self._whole = np.append(self._whole, np.ones(len(missing), np.bool_))
        self._extremes = np.concatenate([self._extremes, _no_extremes(len(missing))])
        return np.array([known.get(key, -1) for key in wanted])

    def _of_rules(self, chosen: Bools) -> Self:
        """Return the scores of some rules alone; shape of `chosen` (rules,)."""
        found = type(self)(self.stage, self.operator, [self.rules[place] for place in np.flatnonzero(chosen)])
        found._rejected, found._extremes = self._rejected[chosen], self._extremes[chosen]
        found._whole = self._whole[chosen]
        mine = chosen[self._cells // (_WIDTH * len(SIDES))]
        places = np.cumsum(chosen) - 1
        found._cells, found._counts = _moved(self._cells[mine], places), self._counts[mine]
        found._other_patterns = self._other_patterns
        for pattern, records in self._patterns.items():
            if moved := sum(1 << int(places[rule]) for rule in _rules_in(pattern) if chosen[rule]):
                found._patterns[moved] = found._patterns.get(moved, 0) + records
            else:
                found._other_patterns += records
        return found

    def _add_cells(self, cells: Integers, counts: Integers) -> None:
        at = np.searchsorted(self._cells, cells)
        there = at < len(self._cells)
        there[there] = self._cells[at[there]] == cells[there]
        self._counts[at[there]] += counts[there]
        if not there.all():
            new = ~there
            order = np.argsort(cells[new], kind="stable")
            self._cells = np.insert(self._cells, at[new][order], cells[new][order])
            self._counts = np.insert(self._counts, at[new][order], counts[new][order])

    def _drop_patterns(self, most: int) -> None:
        kept = _most_frequent(self._patterns, most)
        self._other_patterns += sum(self._patterns.values()) - sum(kept.values())
        self._patterns = kept

    def to_wire(self) -> list[Any]:
        """Return JSON values; cells and their counts are compressed."""
        if self._wire is None:
            self._wire = self._to_wire()
        return self._wire

    def _to_wire(self) -> list[Any]:
        gaps = np.diff(self._cells, prepend=0)
        packed = zlib.compress(gaps.astype("<u4").tobytes() + self._counts.astype("<i8").tobytes(), 1)
        return [
            self.stage,
            self.operator,
            [[rule.reason, rule.parameter, rule.fails, rule.threshold, rule.judged] for rule in self.rules],
            self._rejected.tolist(),
            base64.b64encode(self._extremes.astype("<f8").tobytes()).decode(),
            self._whole.astype(int).tolist(),
            len(self._cells),
            base64.b64encode(packed).decode(),
            [[pattern, records] for pattern, records in self._patterns.items()],
            self._other_patterns,
        ]

    @classmethod
    def from_wire(cls, values: list[Any]) -> Self:
        """Return the scores of which `to_wire` made `values`."""
        stage, operator, rules, rejected, extremes, whole, cells, packed, patterns, other_patterns = values
        self = cls(stage, operator, [RuleName(*rule) for rule in rules])
        self._rejected = np.array(rejected, np.int64)
        self._extremes = np.frombuffer(base64.b64decode(extremes), "<f8").reshape(-1, 4).copy()
        self._whole = np.array(whole, np.bool_)
        content = zlib.decompress(base64.b64decode(packed))
        self._cells = np.cumsum(np.frombuffer(content, "<u4", cells), dtype=np.int64)
        self._counts = np.frombuffer(content, "<i8", cells, offset=4 * cells).copy()
        self._patterns = dict(patterns)
        self._other_patterns = other_patterns
        self._wire = values
        return self

    def rows(self, run_id: str, timestamp: datetime) -> Iterator[Mapping[str, object]]:
        """Yield a row for every rule; the first one has the patterns of failed rules."""
        for place, rule in enumerate(self.rules):
            histogram, unscored = self._histogram(place)
            counts = {side: unscored[side] + sum(cell[side] for cell in histogram) for side in SIDES}
            passed_least, passed_most, failed_least, failed_most = map(_finite, self._extremes[place])
            yield {
                "run_id": run_id,
                "stage_name": self.stage,
                "operator_name": self.operator,
                "rule_index": place,
                "reason": rule.reason,
                "parameter": rule.parameter,
                "timestamp": timestamp,
                "fails": rule.fails,
                "threshold": rule.threshold,
                "population": "judged" if rule.judged else "rejected",
                "judged_records": sum(counts.values()) if rule.judged else None,
                "failed_records": counts["failed_alone"] + counts["failed_both"],
                "failed_alone_records": counts["failed_alone"],
                "rejected_records": int(self._rejected[place]),
                "unscored_records": sum(unscored.values()),
                "min_passed": passed_least,
                "max_passed": passed_most,
                "min_failed": failed_least,
                "max_failed": failed_most,
                "whole_numbers": bool(self._whole[place]),
                "histogram": histogram,
                "failed_together": self._failed_together() if place == 0 else None,
            }

    def _histogram(self, place: int) -> tuple[list[dict[str, int]], dict[str, int]]:
        """Return the cells of a rule by bucket, ascending, and those of its records without a number."""
        first, last = np.searchsorted(self._cells, [bound * _WIDTH * len(SIDES) for bound in (place, place + 1)])
        cells = self._cells[first:last] - place * _WIDTH * len(SIDES)
        found: dict[int, dict[str, int]] = {}
        for cell, records in zip(cells.tolist(), self._counts[first:last].tolist(), strict=True):
            bucket, side = divmod(cell, len(SIDES))
            entry = found.setdefault(bucket - LAST_BUCKET, {"bucket": bucket - LAST_BUCKET, **dict.fromkeys(SIDES, 0)})
            entry[SIDES[side]] += records
        unscored = found.pop(_UNSCORED, dict.fromkeys(SIDES, 0))
        return list(found.values()), {side: unscored[side] for side in SIDES}

    def _failed_together(self) -> dict[str, int]:
        """Return rules that records failed together, by number and comma-separated → records; `other` is the rest."""
        frequent = _most_frequent(self._patterns, MOST_PATTERNS)
        named = {",".join(map(str, _rules_in(pattern))): records for pattern, records in frequent.items()}
        rest = self._other_patterns + sum(self._patterns.values()) - sum(frequent.values())
        return named | ({"other": rest} if rest else {})


def _numbered(rules: Iterable[RuleName]) -> Iterator[tuple[RuleName, int]]:
    """Yield rules with how many equal ones came before: a filter may give two rules the same reason."""
    seen: Counter[RuleName] = Counter()
    for rule in rules:
        yield rule, seen[rule]
        seen[rule] += 1


def _no_extremes(rules: int) -> Floats:
    """Return least and greatest score of passing and failing records, before the first one."""
    extremes: Floats = np.full((rules, 4), np.inf)
    extremes[:, 1::2] = -np.inf
    return extremes


def _finite(extreme: float) -> float | None:
    return float(extreme) + 0.0 if np.isfinite(extreme) else None  # -0.0 is 0.0


def _counted(numbers: Integers) -> tuple[Integers, Integers]:
    """Sort numbers in place; return the distinct ones and how often each occurs.

    It is `np.unique` at a fraction of its fixed cost, which is most of the cost of a small batch.
    """
    numbers.sort()
    starts = np.flatnonzero(np.concatenate(([True], numbers[1:] != numbers[:-1]))) if len(numbers) else numbers
    return numbers[starts], np.concatenate((starts[1:], [len(numbers)])) - starts


def _patterns(failing: Bools) -> dict[int, int]:
    """Return the patterns of failed rules, as bits, with their number of records."""
    if len(failing) <= _BITS_OF_A_NUMBER:
        patterns, counts = _counted((1 << np.arange(len(failing))) @ failing)
        return dict(zip(patterns.tolist(), counts.tolist(), strict=True))
    packed, counts = np.unique(np.packbits(failing, axis=0, bitorder="little"), axis=1, return_counts=True)
    numbers = (int.from_bytes(pattern.tobytes(), "little") for pattern in packed.T)
    return dict(zip(numbers, counts.tolist(), strict=True))


def _moved(cells: Integers, places: Integers) -> Integers:
    """Return cells with the rules renumbered."""
    rules, rest = np.divmod(cells, _WIDTH * len(SIDES))
    moved: Integers = places[rules] * (_WIDTH * len(SIDES)) + rest
    return moved


def _moved_pattern(pattern: int, places: Integers) -> int:
    return sum(1 << int(places[rule]) for rule in _rules_in(pattern))


def _rules_in(pattern: int) -> Iterable[int]:
    return (rule for rule in range(pattern.bit_length()) if pattern >> rule & 1)


def _most_frequent(patterns: Mapping[int, int], most: int) -> dict[int, int]:
    return dict(sorted(patterns.items(), key=lambda item: (-item[1], item[0]))[:most])
