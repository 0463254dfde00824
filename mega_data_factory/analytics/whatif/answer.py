"""What-if of a run: other thresholds, and how many records each rule, operator and the pipeline would pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.runs.totals import OperatorTotals
from mega_data_factory.analytics.whatif.estimate import Estimate
from mega_data_factory.analytics.whatif.operators import OperatorRules, exchange_of
from mega_data_factory.analytics.whatif.pipeline import Outcome, later_than, pipeline_outcome
from mega_data_factory.analytics.whatif.rules import RuleMove
from mega_data_factory.analytics.whatif.settings import Setting, operator_rules, parse_settings
from mega_data_factory.errors import MetricsQueryError
from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.framework.metrics.schema import to_rows
from mega_data_factory.storage import Location


@dataclass(frozen=True)
class OperatorAnswer:
    """An operator at other thresholds.

    Attributes:
        stage, name: The operator.
        input: Records offered to it.
        output: Records that it passes on now.
        would_pass: Records that it would pass on, of the same input.
    """

    stage: str
    name: str
    input: int
    output: int
    would_pass: Estimate

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers by name."""
        return {
            "stage": self.stage,
            "operator": self.name,
            "input": self.input,
            "output": self.output,
            "would_pass": self.would_pass.as_dict(),
        }


@dataclass(frozen=True)
class WhatIf:
    """Answer to what other thresholds would do.

    Attributes:
        run_id: The run.
        input: Records that the run read.
        output: Records that left its last operator.
        settings: The thresholds that are set otherwise.
        rules: Their rules.
        operators: The operators that they belong to.
        pipeline: Records that the pipeline would pass.
        notes: What the numbers assume.
        changing: Rejected records that would pass, of the reject ledger; empty if the run kept none.
    """

    run_id: str
    input: int
    output: int
    settings: tuple[Setting, ...]
    rules: tuple[RuleMove, ...]
    operators: tuple[OperatorAnswer, ...]
    pipeline: Outcome
    notes: tuple[str, ...] = ()
    changing: tuple[Mapping[str, Any], ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Return the answer as JSON values."""
        return {
            "run_id": self.run_id,
            "set": [{"parameter": setting.key, "to": setting.value} for setting in self.settings],
            "rules": [_rule_dict(move) for move in self.rules],
            "operators": [operator.as_dict() for operator in self.operators],
            "pipeline": {"input": self.input, "output": self.output, "would_pass": self.pipeline.as_dict()},
            "notes": list(self.notes),
            "changing": [dict(record) for record in self.changing],
        }


def _rule_dict(move: RuleMove) -> dict[str, Any]:
    rule = move.rule
    return {
        "stage": rule.stage,
        "operator": rule.operator,
        "reason": rule.reason,
        "fails": rule.fails,
        "threshold": rule.threshold,
        "new_threshold": move.threshold if abs(move.threshold) != float("inf") else None,
        "judged": rule.judged,
        "failed": rule.failed,
        "would_fail": move.failed.as_dict(),
    }


@dataclass(frozen=True)
class ScoredRun:
    """A run with the scores of its records, to be asked about thresholds.

    Attributes:
        run_id: The run.
        input: Records that it read.
        operators: Its operators, in plan order.
        rules: Those that have rules.
    """

    run_id: str
    input: int
    operators: tuple[OperatorTotals, ...]
    rules: tuple[OperatorRules, ...]

    @classmethod
    def read(cls, reader: MetricsReader, run: str) -> ScoredRun:
        """Read a run.

        Args:
            reader: The metrics.
            run: Id, unique beginning of one, or `latest`.

        Raises:
            MetricsError: There is no such run, or several, or it has no scores.
        """
        levels = reader.levels(run)
        recording = Recording(levels.run, levels.operators, scores=reader.details("scores", levels.run["run_id"]))
        found = cls.from_recording(recording)
        if found is None:
            raise MetricsQueryError(
                f"{recording.run_id} has no scores",
                hint="filters with rules leave some, unless executor.metrics.score_histograms is false",
            )
        return found

    @classmethod
    def from_recording(cls, recording: Recording) -> ScoredRun | None:
        """Return a run that was read; None if it has no scores."""
        rows = to_rows(recording.scores)
        if not rows:
            return None
        operators = recording.operator_totals
        read = recording.run.get("total_input_records") or (operators[0].input if operators else 0)
        places = {(operator.stage, operator.name): place for place, operator in enumerate(operators)}
        rules = [of for of in operator_rules(rows) if (of.stage, of.name) in places]
        rules.sort(key=lambda of: places[of.stage, of.name])
        return cls(recording.run_id, int(read), operators, tuple(rules))

    @property
    def output(self) -> int:
        """Records that left the last operator."""
        return next((operator.output for operator in reversed(self.operators) if operator.counts_records), 0)

    def ask(self, settings: Sequence[Setting]) -> WhatIf:
        """Return what thresholds would do, all at once."""
        places = {(operator.stage, operator.name): place for place, operator in enumerate(self.operators)}
        judging = {(of.stage, of.name) for of in self.rules}
        moves: list[RuleMove] = []
        answers: list[OperatorAnswer] = []
        exchanges = []
        for rules in self.rules:
            mine = [
                rule.moved_to(setting.threshold_of(rule))
                for setting in settings
                if setting.operator is rules
                for rule in setting.rules
            ]
            if not mine:
                continue
            place = places[rules.stage, rules.name]
            totals = self.operators[place]
            exchange = exchange_of(rules, mine)
            passing = (Estimate.exactly(totals.output) + exchange.change).within(0, totals.input + totals.created)
            moves += mine
            answers.append(OperatorAnswer(rules.stage, rules.name, totals.input, totals.output, passing))
            exchanges.append((exchange, later_than(place, self.operators, judging)))
        outcome = pipeline_outcome(self.output, exchanges)
        notes = (*_given_otherwise(answers), *self._notes([places[answer.stage, answer.name] for answer in answers]))
        return WhatIf(
            self.run_id, self.input, self.output, tuple(settings), tuple(moves), tuple(answers), outcome, notes
        )

    def _notes(self, places: Sequence[int]) -> list[str]:
        following = self.operators[min(places) + 1 :] if places else ()
        notes = []
        for place in places:
            if not self.operators[place].output and self.operators[place + 1 :]:
                name = self.operators[place].name
                notes.append(f"no record passed {name} in this run: how many would pass what follows is not known")
        if any("duplicate" in operator.reasons for operator in following):
            notes.append(
                "a deduplicator follows: it may keep another record in the place of one that no longer comes, or drop "
                "one that comes again; the bounds take every record by itself"
            )
        if any(operator.created for operator in following):
            notes.append("a later operator makes records of others; the bounds count the records that come to it")
        return notes


def _given_otherwise(answers: Sequence[OperatorAnswer]) -> Iterator[str]:
    """Yield which operators, with their rules, are counted on other records than they would be given."""
    before: list[str] = []
    for answer in answers:
        if before:
            yield (
                f"{answer.name} and its rules are counted on the records that came to it in this run; "
                f"{' and '.join(before)} would let others come"
            )
        if (answer.would_pass.low, answer.would_pass.high) != (answer.output, answer.output):
            before.append(answer.name)


def what_if(metrics: Location, run: str, settings: Sequence[str]) -> WhatIf:
    """Return what other thresholds would do to a run, from its metrics alone.

    Args:
        metrics: The metrics folder.
        run: Id, unique beginning of one, or `latest`.
        settings: `STAGE.OPERATOR.PARAM=VALUE`, one for each threshold.

    Raises:
        MetricsError: There is no such run, or several, or it has no scores, or no such threshold.
    """
    found = ScoredRun.read(MetricsReader(metrics), run)
    return found.ask(parse_settings(settings, found.rules))
