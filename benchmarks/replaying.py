"""Answers of operators, recorded once and given again: what is done around operators is counted without their work.

Operators take nine tenths and more of a run, so counting instructions of several ways to measure the same batches would
count the same work again and again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mega_data_factory.framework.contracts import Filter, Judgement
from mega_data_factory.framework.worker.accounts.changes import changed_records
from mega_data_factory.framework.worker.stage import Stage


@dataclass(frozen=True)
class Refined:
    """What a refiner made of records.

    Attributes:
        names: Columns of its answer.
        made: Of these, the columns that it made or changed.
    """

    names: list[str]
    made: Any

    @classmethod
    def of(cls, before: Any, after: Any) -> Refined:
        """Return how the refiner got from a table to another."""
        kept = [
            name
            for name in after.column_names
            if name in before.column_names and not changed_records(before.select([name]), after.select([name]))
        ]
        return cls(after.column_names, after.drop_columns(kept))

    def again(self, before: Any) -> Any:
        """Return the answer, whose other columns are those of the same records as they come now."""
        import pyarrow as pa

        made = self.made
        return pa.table({n: made.column(n) if n in made.column_names else before.column(n) for n in self.names})


Answer = Judgement | Refined


def record(stages: list[Stage]) -> list[list[Answer]]:
    """Make the operators of stages record their answers; return the list of each operator, which grows."""
    return [_recorded(step.operator) for stage in stages for step in stage._steps]


def _recorded(operator: Any) -> list[Answer]:
    answers: list[Answer] = []
    name = "judge" if isinstance(operator, Filter) else "refine"
    work = getattr(operator, name)

    def recording(table: Any) -> Any:
        answer = work(table)
        answers.append(answer if name == "judge" else Refined.of(table, answer))
        return answer

    setattr(operator, name, recording)
    return answers


def replay(stages: list[Stage], answers: list[list[Answer]]) -> None:
    """Make the operators of stages give answers that were recorded, in their order."""
    operators = [step.operator for stage in stages for step in stage._steps]
    for operator, own in zip(operators, answers, strict=True):
        _replayed(operator, iter(own))


def _replayed(operator: Any, answers: Iterator[Answer]) -> None:
    def give_again(table: Any) -> Any:
        answer = next(answers)
        return answer if isinstance(answer, Judgement) else answer.again(table)

    setattr(operator, "judge" if isinstance(operator, Filter) else "refine", give_again)
