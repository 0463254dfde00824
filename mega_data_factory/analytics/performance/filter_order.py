"""The cheapest order of adjacent filters.

Filters that decide on each record by itself commute: in any order the same records pass. Their order decides
what that costs. With cost `c` (seconds per record) and pass share `p`, the expected cost of a row of independent
filters is least when they are ordered by increasing rank `c / (1 - p)`: cheap and strict first. Source: Hellerstein and
Stonebraker, "Predicate migration: optimizing queries with expensive predicates", SIGMOD 1993. Deduplicators and
refiners are never moved, nor is anything moved across them: what they do depends on what came before.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mega_data_factory.analytics.runs.totals import OperatorTotals, StageTotals
from mega_data_factory.catalogue import OPERATORS

LEAST_SAVING = 0.05
"""Share of the seconds of a row of filters that another order must save to be worth a word."""

_ENOUGH_RECORDS = 100


@dataclass(frozen=True)
class BetterOrder:
    """Filters of one stage that would cost less in another order.

    Attributes:
        stage: the stage.
        now, better: names in the present order, and in the one that costs less.
        seconds: what they cost now, over all workers, as measured.
        saved: predicted seconds less; it is exact where each filter's share does not depend on the others.
    """

    stage: str
    now: tuple[str, ...]
    better: tuple[str, ...]
    seconds: float
    saved: float


def rank(operator: OperatorTotals) -> float:
    """Return `cost / rejection share`: seconds spent to reject one record; infinite if it rejects none."""
    rejected = 1 - (operator.pass_share if operator.pass_share is not None else 1.0)
    return (operator.cost or 0.0) / rejected if rejected > 0 else math.inf


def expected_seconds(filters: Sequence[OperatorTotals], records: int) -> float:
    """Return busy seconds of a row of filters in the given order, each with its own cost and pass share."""
    total, left = 0.0, float(records)
    for operator in filters:
        total += left * (operator.cost or 0.0)
        left *= operator.pass_share if operator.pass_share is not None else 1.0
    return total


def better_orders(stages: Sequence[StageTotals]) -> list[BetterOrder]:
    """Return orders of neighbouring filters that would save 5 % or more of their time, largest saving first."""
    found = []
    for stage in stages:
        for row in _rows_of_filters(stage):
            best = sorted(row, key=rank)
            now = expected_seconds(row, row[0].input)
            saved = now - expected_seconds(best, row[0].input)
            if now > 0 and saved >= LEAST_SAVING * now:
                names = tuple(operator.name for operator in row), tuple(operator.name for operator in best)
                found.append(BetterOrder(stage.name, *names, now, saved))
    return sorted(found, key=lambda order: -order.saved)


def _rows_of_filters(stage: StageTotals) -> Iterator[list[OperatorTotals]]:
    row: list[OperatorTotals] = []
    for operator in (*stage.operators, None):
        if operator is not None and _can_move(operator) and operator.input >= _ENOUGH_RECORDS:
            row.append(operator)
            continue
        if len(row) > 1:
            yield row
        row = []


def _can_move(operator: OperatorTotals) -> bool:
    return is_filter(operator.name) and not operator.created


def is_filter(name: str) -> bool:
    """Return whether an operator is a filter, by the catalogue and, for others, by the last word of the name."""
    plain = re.sub(r"_\d+$", "", name)
    home = OPERATORS.get(plain)
    if home is not None:
        return ".filters." in home
    return plain.lower().endswith("filter")
