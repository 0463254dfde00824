"""Scores of the rules of one operator: a histogram for every rule, and which rules records failed together."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Self

import numpy as np

from mega_data_factory.framework.metrics.details.detail import Detail
from mega_data_factory.framework.metrics.details.scores.codes import SIDES, ScoreCodes, Scored, coded
from mega_data_factory.framework.metrics.details.scores.rule_names import RuleName, with_new_rules
from mega_data_factory.framework.metrics.details.scores.tally import ScoreTally

_MOST_CODES_SENT = 1 << 13
"""Codes that travel as they are; more are counted first."""

_MOST_CODES_KEPT = 1 << 18
"""Codes that are kept before they are counted: half a megabyte."""


class OperatorScores(Detail):
    """Scores of the rules of one operator.

    Every record that a rule judged is in one cell of the rule: the bucket of its score, and one of `SIDES`. So the
    threshold of the run is an exact border, whatever the buckets are.

    A batch brings codes, which are collected and counted many at a time; what came over the wire is decoded when it is
    needed.

    Args:
        stage: Name of the stage.
        operator: Name of the operator instance.
        rules: Its rules, in the order in which they decide.
    """

    table: ClassVar[str] = "scores"

    def __init__(self, stage: str, operator: str, rules: Sequence[RuleName]) -> None:
        self.stage = stage
        self.operator = operator
        self._rules = list(rules)
        self._codes: list[ScoreCodes] = []  # of these rules, not counted yet
        self._size = 0  # of all of them
        self._counted: ScoreTally | None = None
        self._wire: list[Any] | None = None  # as made last, until something is added
        self._is_packed = False  # whether all that is known is in the wire form

    @classmethod
    def from_codes(cls, stage: str, operator: str, rules: Sequence[RuleName], codes: ScoreCodes) -> Self:
        """Return the scores of some records.

        Args:
            stage: Name of the stage.
            operator: Name of the operator instance.
            rules: Its rules.
            codes: What they made of the records.
        """
        self = cls(stage, operator, rules)
        self._collect([codes])
        return self

    @classmethod
    def measured(cls, stage: str, operator: str, rules: Sequence[RuleName], scored: Scored) -> Self:
        """Return the scores of some records.

        Args:
            stage: Name of the stage.
            operator: Name of the operator instance.
            rules: Its rules.
            scored: What they made of the records.
        """
        return cls.from_codes(stage, operator, rules, *coded([scored]))

    @property
    def key(self) -> tuple[str, ...]:
        """Stage and operator."""
        return self.stage, self.operator

    @property
    def rules(self) -> Sequence[RuleName]:
        """The rules, in the order in which they decide; those that later records brought come last."""
        self._unpack()
        return self._rules

    def add(self, other: Self) -> None:
        """Add the scores of other records of the same operator, in place; rules that are new here come last.

        Of rules that are known by reasons alone, those beyond `MOST_NAMED` are left out.
        """
        self._unpack()
        other._unpack()
        self._wire = None
        if self._rules == other._rules and other._counted is None:
            self._collect(other._codes)
            if self._size > _MOST_CODES_KEPT:
                self._tally()
            return
        mine, theirs = self._tally(), other._tally()
        self._rules, places = with_new_rules(self._rules, other._rules)
        mine.grow(len(self._rules))
        mine.add(theirs, places)

    def _collect(self, codes: Sequence[ScoreCodes]) -> None:
        self._codes += codes
        self._size += sum(part.codes.size for part in codes)

    def _tally(self) -> ScoreTally:
        """Count the codes that are not counted yet; return all counts."""
        self._unpack()
        if self._codes:
            more = ScoreTally.from_codes(ScoreCodes.joined(self._codes))
            self._codes, self._size = [], 0
            if self._counted is None:
                self._counted = more
            else:
                self._counted.add(more, range(len(self._rules)))
        elif self._counted is None:
            self._counted = ScoreTally.empty(len(self._rules))
        return self._counted

    def to_wire(self) -> list[Any]:
        """Return JSON values: codes as they are, where these are few, else compressed counts."""
        if self._wire is None:
            rules = [list(rule) for rule in self._rules]
            self._wire = [self.stage, self.operator, rules, *self._content()]
        return self._wire

    def copy(self) -> Self:
        """Return equal scores; codes, which do not change, are shared."""
        if self._counted is not None or self._is_packed:
            return super().copy()
        other = type(self)(self.stage, self.operator, self._rules)
        other._collect(self._codes)
        return other

    def _content(self) -> list[Any]:
        if self._counted is None and 0 < self._size <= _MOST_CODES_SENT:
            codes = ScoreCodes.joined(self._codes)
            return ["codes", codes.codes.shape[1], base64.b64encode(codes.to_bytes()).decode()]
        return ["counts", *self._tally().to_wire()]

    @classmethod
    def from_wire(cls, values: list[Any]) -> Self:
        """Return the scores of which `to_wire` made `values`."""
        self = cls(values[0], values[1], ())
        self._wire = values
        self._is_packed = True
        return self

    def _unpack(self) -> None:
        """Decode the wire form, if that has not been done."""
        if not self._is_packed:
            return
        assert self._wire is not None
        _, _, rules, form, *content = self._wire
        self._rules = [RuleName(*rule) for rule in rules]
        if form == "codes":
            records, packed = content
            self._collect([ScoreCodes.from_bytes(base64.b64decode(packed), len(rules), records)])
        else:
            self._counted = ScoreTally.from_wire(content)
        self._is_packed = False

    def rows(self, run_id: str, timestamp: datetime) -> Iterator[Mapping[str, object]]:
        """Yield a row for every rule; the first one has the patterns of failed rules."""
        tally = self._tally()
        for place, rule in enumerate(self._rules):
            histogram, unscored = tally.histogram(place)
            counts = {side: unscored[side] + sum(cell[side] for cell in histogram) for side in SIDES}
            passed_least, passed_most, failed_least, failed_most = tally.extremes[place] * (1.0, -1.0, 1.0, -1.0)
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
                "rejected_records": int(tally.rejected[place]),
                "unscored_records": sum(unscored.values()),
                "min_passed": _finite(passed_least),
                "max_passed": _finite(passed_most),
                "min_failed": _finite(failed_least),
                "max_failed": _finite(failed_most),
                "whole_numbers": bool(tally.whole[place]),
                "histogram": histogram,
                "failed_together": tally.patterns.by_rules() if place == 0 else None,
            }


def _finite(extreme: float) -> float | None:
    return float(extreme) + 0.0 if np.isfinite(extreme) else None  # -0.0 is 0.0
