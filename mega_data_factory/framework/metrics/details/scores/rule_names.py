"""Names of the rules of an operator, by which scores of different batches find each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

MOST_NAMED = 128
"""Rules that are known by the reasons of rejected records alone, with their own counts in one operator; what rules
beyond these made of records is left out. A filter may choose a threshold for every record: each one looks like a rule.
"""


class RuleName(NamedTuple):
    """A rule as its rows name it; of one operator those that are equal here add up, the first to the first and so on.

    Attributes:
        reason: Reason of the records that it rejects.
        parameter: Parameter of the operator that is its threshold; None if none is.
        fails: How score and threshold compare for a record that fails: `<`, `<=`, `>`, `>=`; None if unknown.
        threshold: What the score is compared with; None if nothing is.
        judged: Whether the scores are of all records that the rule judged; False for those of rejected records alone.
    """

    reason: str
    parameter: str | None = None
    fails: str | None = None
    threshold: float | None = None
    judged: bool = True


def with_new_rules(rules: Sequence[RuleName], others: Sequence[RuleName]) -> tuple[list[RuleName], list[int]]:
    """Return rules with those of another list that are missing appended, and where each of the others is; -1 for none.

    Of rules that are known by reasons alone, those beyond `MOST_NAMED` are not appended.

    Args:
        rules: Rules that keep their places.
        others: Rules to find.
    """
    known = {key: place for place, key in enumerate(_numbered(rules))}
    wanted = list(_numbered(others))
    missing = [key for key in wanted if key not in known]
    named = [key for key in missing if not key[0].judged]
    without_room = {*named[max(MOST_NAMED - sum(not rule.judged for rule in rules), 0) :]}
    missing = [key for key in missing if key not in without_room]
    known |= {key: len(rules) + number for number, key in enumerate(missing)}
    return [*rules, *(rule for rule, _ in missing)], [known.get(key, -1) for key in wanted]


def _numbered(rules: Iterable[RuleName]) -> Iterator[tuple[RuleName, int]]:
    """Yield rules with how many equal ones came before: a filter may give two rules the same reason."""
    seen: Counter[RuleName] = Counter()
    for rule in rules:
        yield rule, seen[rule]
        seen[rule] += 1
