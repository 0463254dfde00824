"""Rejected records that other thresholds would let pass, from the reject ledger of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mega_data_factory.analytics.runs.rejects import find_rejects, other_failed_rules
from mega_data_factory.analytics.whatif.answer import WhatIf
from mega_data_factory.analytics.whatif.rules import RuleMove, fails_at
from mega_data_factory.rejects import RejectFilter, RejectLedger

_COLUMNS = ("record_id", "stage", "operator", "reason", "score", "threshold", "failed_rules", "content")


def changing_records(run: Mapping[str, Any], answer: WhatIf, most: int = 5) -> list[dict[str, Any]]:
    """Return records that were rejected and would pass their operator, those nearest to the new threshold first.

    Args:
        run: Row of the run.
        answer: The other thresholds.
        most: Records of every rule.

    Returns:
        Rows with the columns of `_COLUMNS` and `new_threshold`; none if the run kept no ledger.
    """
    ledger = find_rejects(run)
    if ledger is None:
        return []
    moved = {(move.rule.operator, move.rule.reason) for move in answer.rules}
    return [row for move in answer.rules for row in _of_rule(ledger, move, moved, most)]


def _of_rule(ledger: RejectLedger, move: RuleMove, moved: set[tuple[str, str]], most: int) -> Iterator[dict[str, Any]]:
    rule = move.rule
    assert rule.threshold is not None
    if move.newly_passing.high + move.newly_passing_both.high <= 0:
        return
    low, high = sorted((rule.threshold, move.threshold))
    only = RejectFilter(stage=rule.stage, operator=rule.operator, reason=rule.reason, score_between=(low, high))
    found = []
    for row in ledger.read(only).select(_COLUMNS).to_pylist():
        others = {(rule.operator, reason) for reason in other_failed_rules(row)}
        if not fails_at(row["score"], rule.fails or "<", move.threshold) and others <= moved:
            found.append(row | {"new_threshold": move.threshold})
    found.sort(key=lambda row: (abs(row["score"] - move.threshold), row["record_id"] or ""))
    yield from found[:most]
