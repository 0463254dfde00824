"""Texts in scripts without spaces, where operators look for words between spaces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mega_data_factory.analytics.findings.finding import Finding
from mega_data_factory.analytics.runs.custom_metrics import custom_metrics
from mega_data_factory.analytics.runs.earlier_runs import EarlierRuns
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.runs.totals import OperatorTotals
from mega_data_factory.catalogue import UNSPACED_RECORDS, UNSPACED_REJECTS
from mega_data_factory.formats import count, plural

_MANY = 0.1
"""An operator is reported from this share of such records, or where most of its rejects are such."""


@dataclass(frozen=True)
class _Unspaced:
    """Records in scripts without spaces that came to an operator, and those of them that it rejected."""

    operator: OperatorTotals
    records: int
    rejects: int

    @property
    def is_most_of_rejects(self) -> bool:
        return 2 * self.rejects > self.operator.rejected

    def __str__(self) -> str:
        of_rejects = f", {count(self.rejects)} of its {count(self.operator.rejected)} rejects" if self.rejects else ""
        return f"{self.operator.label}: {count(self.records)} of {plural(self.operator.input, 'record')}{of_rejects}"


def unspaced_scripts(recording: Recording, _: EarlierRuns) -> Iterator[Finding]:
    """Find records without spaces between words that were judged or compared by such words."""
    found = [
        each for each in _noticed(recording) if each.is_most_of_rejects or each.records >= _MANY * each.operator.input
    ]
    if not found:
        return
    worst = max(found, key=lambda each: (each.is_most_of_rejects, each.rejects, each.records))
    title = (
        f"Most rejects of {worst.operator.label} are in a script without spaces between words"
        if worst.is_most_of_rejects
        else f"{worst.operator.label} finds no words in {plural(worst.records, 'record')} without spaces between them"
    )
    yield Finding(
        "warning",
        "unspaced-scripts",
        title,
        "In Chinese, Japanese, Thai, Lao, Khmer, Burmese or Tibetan a sentence is one word for `words: whitespace`: "
        f"texts have too few words, and near-duplicates share none. {'; '.join(map(str, found))}.",
        {each.operator.label: {"records": each.records, "rejects": each.rejects} for each in found},
        "Set `words: unicode` for these operators: dictionaries then find the words, and limits fit the language.",
    )


def _noticed(recording: Recording) -> Iterator[_Unspaced]:
    numbers = {(m.stage, m.operator, m.name): round(m.total or 0) for m in custom_metrics(recording.stages)}
    for operator in recording.operator_totals:
        place = (operator.stage, operator.name)
        if records := numbers.get((*place, UNSPACED_RECORDS), 0):
            yield _Unspaced(operator, records, numbers.get((*place, UNSPACED_REJECTS), 0))
