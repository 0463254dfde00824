"""`mdf whatif`: what other thresholds of filters would do to a run, without running anything."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

from rich.console import Console
from rich.text import Text

from mega_data_factory.analytics.whatif.answer import ScoredRun, WhatIf
from mega_data_factory.analytics.whatif.changing import changing_records
from mega_data_factory.analytics.whatif.estimate import Estimate
from mega_data_factory.analytics.whatif.pipeline import Outcome
from mega_data_factory.analytics.whatif.rules import RuleMove
from mega_data_factory.analytics.whatif.settings import movable, parse_settings
from mega_data_factory.analytics.whatif.target import Of, threshold_for
from mega_data_factory.cli.display.columns import plain_table
from mega_data_factory.cli.display.console import printable, stdout
from mega_data_factory.cli.failures import SUCCESS, UsageError, print_json
from mega_data_factory.cli.metrics_folder import open_store
from mega_data_factory.errors import did_you_mean
from mega_data_factory.formats import count, percent

_OF = ("operator", "pipeline")


def whatif(metrics: str, run: str, settings: Sequence[str], *, target: float | None, of: str, as_json: bool) -> int:
    """Show how many records rules, operators and the pipeline would pass at other thresholds.

    JSON: the fields of `WhatIf`; without a setting `{run_id, thresholds: [{parameter, reason, value, failed}]}`.

    Args:
        metrics: the metrics folder.
        run: id, unique beginning of one, or `latest`.
        settings: `STAGE.OPERATOR.PARAM=VALUE`; with a target one of them without a value.
        target: share of the records to pass; None to take the values as given.
        of: what the share is of, `operator` or `pipeline`.
        as_json: print JSON instead of tables.

    Raises:
        MetricsError: there is no such run, or several, or it has no scores, or no such threshold.
        UsageError: the options do not go together.
    """
    if of not in _OF:
        raise UsageError(f"--of {of}: it is one of {', '.join(_OF)}", hint=did_you_mean(of, _OF))
    reader = open_store(metrics)
    scored = ScoredRun.read(reader, run)
    if not settings and target is None:
        return _list_thresholds(scored, as_json=as_json)
    answer = _answer(scored, settings, target, cast(Of, of))
    answer = replace(answer, changing=tuple(changing_records(reader.run(scored.run_id), answer)))
    if as_json:
        print_json(answer.as_dict())
    else:
        _print(answer, stdout())
    return SUCCESS


def _answer(scored: ScoredRun, settings: Sequence[str], target: float | None, of: Of) -> WhatIf:
    if target is None:
        return scored.ask(parse_settings(settings, scored.rules))
    wanted = [setting for setting in settings if "=" not in setting]
    if len(wanted) != 1:
        given = "no threshold is" if not wanted else f"{len(wanted)} thresholds are"
        raise UsageError(
            f"--target-pass-rate finds one value, and {given} given without one",
            hint="name it: --set STAGE.OPERATOR.PARAM",
        )
    return threshold_for(scored, wanted[0], target, of, [setting for setting in settings if "=" in setting])


def _list_thresholds(scored: ScoredRun, *, as_json: bool) -> int:
    """Print the thresholds that can be moved."""
    rows = [(setting, rule) for setting in movable(scored.rules) for rule in setting.rules]
    if as_json:
        thresholds = [
            {"parameter": setting.key, "reason": rule.reason, "value": rule.threshold, "failed": rule.failed}
            for setting, rule in rows
        ]
        print_json({"run_id": scored.run_id, "thresholds": thresholds})
        return SUCCESS
    table = plain_table()
    for heading in ("threshold (--set)", "value", "fails"):
        table.add_column(heading, justify="left" if heading.startswith("threshold") else "right", overflow="fold")
    for setting, rule in rows:
        table.add_row(Text(printable(setting.key)), _number(rule.threshold), count(rule.failed))
    stdout().print(table)
    return SUCCESS


def _print(answer: WhatIf, console: Console) -> None:
    console.print(
        Text(f"{answer.run_id}: {count(answer.input)} records read, {count(answer.output)} passed all operators\n"),
        soft_wrap=True,
    )
    table = plain_table()
    for heading in ("", "now", "would be", "change"):
        table.add_column(heading, justify="right" if heading else "left", overflow="fold")
    for move in answer.rules:
        table.add_row(
            _rule_name(move), count(move.rule.failed), str(move.failed), _change(move.failed, move.rule.failed)
        )
    for operator in answer.operators:
        name = Text(f"{printable(operator.stage)} / {printable(operator.name)} passes", style="bold")
        table.add_row(
            name, count(operator.output), str(operator.would_pass), _change(operator.would_pass, operator.output)
        )
    likely = answer.pipeline.likely
    table.add_row(
        Text("the pipeline passes", style="bold"), count(answer.output), str(likely), _change(likely, answer.output)
    )
    console.print(table)
    for line in _remarks(answer):
        console.print(Text(line, style="dim"))
    _print_changing(answer, console)


def _rule_name(move: RuleMove) -> Text:
    rule = move.rule
    to = "no limit" if math.isinf(move.threshold) else _number(move.threshold)
    return Text(f"{printable(rule.reason)} fails ({rule.fails} {_number(rule.threshold)} → {to})")


def _remarks(answer: WhatIf) -> Iterator[str]:
    likely, bounds = answer.pipeline.likely, answer.pipeline.bounds
    if answer.input:
        now, then = (percent(100 * records / answer.input) for records in (answer.output, likely.value))
        yield f"\nof all records {now} pass now, {then} would"
    if not all(move.failed.is_exact for move in answer.rules):
        yield "rules and operators: the range holds for certain; it is the bucket that the new threshold falls in"
    if _is_wider(answer.pipeline):
        yield (
            "pipeline: the range holds in 95 of 100 cases, if the records that change sides pass later operators much "
            f"as others do; for certain it is {count(round(bounds.low))} to {count(round(bounds.high))}"
        )
    yield from answer.notes


def _is_wider(outcome: Outcome) -> bool:
    return not outcome.bounds.is_exact and outcome.bounds != outcome.likely


def _print_changing(answer: WhatIf, console: Console) -> None:
    if not answer.changing:
        return
    console.print(Text("\nrejected records that would pass their operator\n", style="bold"))
    table = plain_table()
    for heading in ("record", "reason", "score"):
        table.add_column(heading, justify="right" if heading == "score" else "left", overflow="fold")
    for row in answer.changing:
        table.add_row(Text(printable(row["record_id"] or "")), Text(printable(row["reason"])), _number(row["score"]))
    console.print(table)


def _change(would_be: Estimate, now: int) -> str:
    change = round(would_be.value) - now
    return "—" if not change else f"{change:+,}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
