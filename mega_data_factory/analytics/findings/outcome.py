"""Findings about how a run ended and whether its numbers are reliable."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mega_data_factory.analytics.findings.finding import Finding
from mega_data_factory.analytics.findings.uncommitted import uncommitted_text
from mega_data_factory.analytics.runs.earlier_runs import EarlierRuns
from mega_data_factory.analytics.runs.flow import flow_of
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.formats import count, percent, plural, seconds
from mega_data_factory.framework.metrics.rows.rollup import balance_equation

_MANY_ERRORS = 0.01


def ending(recording: Recording, _: EarlierRuns) -> Iterator[Finding]:
    """Find a run that did not complete, or has not yet."""
    run, status = recording.run, recording.run.get("status")
    written = run.get("committed_records") or run.get("total_output_records") or 0
    had = "come out of the last step" if recording.is_observed else "been committed"
    so_far = f"{plural(written, 'record')} had {had} after {seconds(recording.seconds)}"
    if waiting := uncommitted_text(run):
        so_far += f"; {waiting}"
    evidence = {"status": status, "committed_records": written}
    evidence["uncommitted_input_records"] = run.get("uncommitted_input_records")
    go_on = f"Resume it from its last commit: `mdf run --config FILE --resume {recording.run_id}`."
    go_on = go_on if recording.is_pipeline else ""
    if status == "failed":
        detail = f"{run.get('error') or 'No reason was recorded'}. {so_far[0].upper()}{so_far[1:]}."
        yield Finding("critical", "ending", "The run failed", detail, evidence, go_on if written else "")
    elif status == "aborted":
        detail = f"Its driver stopped sending heartbeats: it was killed, or its machine is down. {so_far.capitalize()}."
        yield Finding("critical", "ending", "The run was killed before its end", detail, evidence, go_on)
    elif status == "interrupted":
        yield Finding("warning", "ending", "The run was interrupted", f"{so_far.capitalize()}.", evidence, go_on)
    elif status == "running":
        detail = f"So far {so_far}; figures are as of now."
        yield Finding("advice", "ending", "The run is in progress", detail, evidence)


def books(recording: Recording, _: EarlierRuns) -> Iterator[Finding]:
    """Yield whether every record is accounted for."""
    run = recording.run
    if run.get("balanced") is None:
        return
    evidence = {name: run.get(name) for name in ("planned_records", "processed_records", "dead_lettered_records")}
    if recording.is_observed and run["balanced"]:
        detail = "At every step input + created = output + rejected + errors."
        yield Finding("good", "books", "The books balance: every record is accounted for", detail, {})
        return
    if run["balanced"]:
        detail = (
            f"{_accounts(run)}. At every operator {balance_equation(run.get('created_records'))}, "
            "and each operator received what the previous one passed on."
        )
        yield Finding("good", "books", "The books balance: every record is accounted for", detail, evidence)
        return
    missing = run.get("unbalanced_records") or 0
    title = (
        f"The books do not balance: {plural(missing, 'record')} not accounted for"
        if missing
        else "The books do not balance"
    )
    advice = "Do not use the output until the cause is known; the run's log names the operator whose counts differ."
    yield Finding("critical", "books", title, f"{_accounts(run)}.", evidence | {"difference": missing}, advice)


def _accounts(run: Any) -> str:
    processed = run.get("processed_records")
    parts = [
        f"processed {count(run.get('committed_records') if processed is None else processed)}",
        f"dead-lettered {count(run.get('dead_lettered_records'))}",
    ]
    if run.get("loader_errors"):
        parts.append(f"unreadable {count(run['loader_errors'])}")
    return f"Planned {count(run.get('planned_records'))}; {', '.join(parts)}"


def nothing(recording: Recording, _: EarlierRuns) -> Iterator[Finding]:
    """Find a run that read or kept nothing."""
    run, flow = recording.run, flow_of(recording)
    read, written = flow.read, flow.written
    if run.get("status") == "running" or run.get("uncommitted_input_records"):
        return
    if not read and recording.tracked_stages and not recording.stages:
        return  # a script that times its stages and counts no records
    if not read and run.get("status") != "completed":
        yield Finding(
            "advice",
            "nothing-passed",
            "The run ended before a batch had passed all stages",
            _lay_between_stages(recording),
            {"total_input_records": 0},
        )
    elif not read:
        yield Finding(
            "warning",
            "nothing-read",
            "No record was read",
            "The source was empty.",
            {"total_input_records": 0},
            "Look at `data_loader.params`: the path, its patterns and suffixes."
            if recording.config.get("data_loader")
            else "",
        )
    elif not written and run.get("status") == "completed":
        worst = min(
            (o for o in recording.operator_totals if o.input and not o.output),
            key=lambda o: (o.stage_index, o.index),
            default=None,
        )
        where = f" {worst.name} (stage {worst.stage}) passed none of {count(worst.input)} records." if worst else ""
        yield Finding(
            "critical",
            "nothing-kept",
            f"None of {count(read)} records was kept",
            f"All were rejected or failed.{where}",
            {"total_input_records": read, "operator": worst.label if worst else None},
            "Look at the reasons of this operator first: one threshold probably does not fit this data.",
        )


def _lay_between_stages(recording: Recording) -> str:
    """Return how far the batches had come of a run in which none passed all stages."""
    passed = [(stage.name, stage.operators[0].uncommitted_input) for stage in recording.stages if stage.operators]
    parts = [f"{plural(records, 'record')} had passed stage {name}" for name, records in passed if records]
    if not parts and recording.run.get("engine") == "local":
        return "No batch had passed a stage."
    if not parts:
        return "How far the batches between stages had come is not known."
    return f"{', '.join(parts)}; the next stage had not."


def dead_letters(recording: Recording, _: EarlierRuns) -> Iterator[Finding]:
    """Find records that killed their workers."""
    dead = recording.run.get("dead_lettered_records") or 0
    if dead:
        killed = "record killed its worker and was" if dead == 1 else "records killed their workers and were"
        yield Finding(
            "warning",
            "dead-letters",
            f"{count(dead)} {killed} set aside",
            "Each was isolated by halving its batch, and retried before it was set aside.",
            {"dead_lettered_records": dead},
            "They are in the dead letter folder. Usual causes: a crash of native code, or too little memory.",
            "errors",
        )


def errors(recording: Recording, _: EarlierRuns) -> Iterator[Finding]:
    """Find records that raised an error."""
    run = recording.run
    total, read = run.get("total_errors") or 0, run.get("total_input_records") or 0
    if not total:
        return
    share = total / read if read else 1.0
    of_read = f" ({percent(100 * share)} of those read)" if read else ""
    by_place = {o.label: o.errors for o in recording.operator_totals if o.errors}
    if run.get("loader_errors"):
        by_place["data_loader"] = run["loader_errors"]
    if run.get("writer_errors"):
        by_place["data_writer"] = run["writer_errors"]
    worst = max(by_place, key=lambda place: by_place[place], default=None)
    where = f" {count(by_place[worst])} of them in {worst}." if worst else ""
    yield Finding(
        "warning" if share >= _MANY_ERRORS else "advice",
        "errors",
        f"{plural(total, 'record')} failed{of_read}",
        f"They were set aside; the rest of each batch was processed.{where}",
        {"total_errors": total, "share": share, "by_place": by_place},
        "Read their messages: one message repeated many times suggests a bug, many different ones suggest bad data.",
        "errors",
    )


def unwritten_metrics(recording: Recording, _: EarlierRuns) -> Iterator[Finding]:
    """Yield metrics that could not be written in time."""
    failures = recording.run.get("flush_failures") or 0
    if failures:
        yield Finding(
            "advice",
            "flush-failures",
            f"The metrics could not be written {plural(failures, 'time')}",
            "They were written later and nothing is missing; a run killed in between would have lost that interval.",
            {"flush_failures": failures},
            "Check the metrics store: permissions, free space, or an unstable network.",
        )


def retries(recording: Recording, _: EarlierRuns) -> Iterator[Finding]:
    """Yield batches whose worker died."""
    retried, batches = recording.run.get("retried_batches") or 0, recording.run.get("batches") or 0
    if retried:
        yield Finding(
            "advice",
            "retries",
            f"{count(retried)} of {count(batches)} batches took more than one attempt",
            "Workers died while processing them, or the engine computed them again, as it does for a second action on "
            "data that is not cached. No count is affected: only the last execution of each batch counts."
            if recording.is_observed
            else "Workers died while processing them. No count is affected: only the committed attempt counts.",
            {"retried_batches": retried, "batches": batches},
            "If the engine computes them again, let it keep the data (`persist`, `cache`, `materialize`)."
            if recording.is_observed
            else "If this keeps happening, check the memory of the machines.",
        )
