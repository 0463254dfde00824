"""`mdf runs gate`: whether a run meets rules, against other runs, for continuous integration."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape
from rich.text import Text

from mega_data_factory import storage
from mega_data_factory.analytics.comparison.baselines import read_baseline
from mega_data_factory.analytics.gate import GateRules, Verdict, gate
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.cli.display.columns import wrapped
from mega_data_factory.cli.display.console import stdout
from mega_data_factory.cli.failures import SUCCESS, print_json
from mega_data_factory.cli.metrics_folder import open_store
from mega_data_factory.formats import plural
from mega_data_factory.framework.config.checking import read_model
from mega_data_factory.reports.gate import junit, markdown

GATE_FAILED = 1

_STYLES = {"failed": "bold red", "not judged": "yellow", "passed": "green"}


def gate_run(
    metrics: str,
    run: str,
    against: str,
    rules: Path,
    *,
    junit_file: str | None,
    markdown_file: str | None,
    as_json: bool,
) -> int:
    """Judge a run by a file of rules.

    JSON: `{run_id, baseline: [run id], passed, checks: [{rule, subject, status, message, before, after, low, high,
    unit}]}`.

    Args:
        metrics: The metrics folder.
        run: Id of the run, the beginning of it, or `latest`.
        against: What it is compared with: a run, or `last:N`.
        rules: The YAML file.
        junit_file: Write JUnit XML to this file.
        markdown_file: Write Markdown to this file.
        as_json: Print JSON.

    Returns:
        0 if every rule is met, 1 if one is not.

    Raises:
        ConfigError: The rules have mistakes; one error names all of them.
        MetricsQueryError: There is no such run.
        OutputError: A file cannot be written.
    """
    wanted = read_model(rules, GateRules, "the rules of a gate have the key `rules` with a list")
    reader = open_store(metrics)
    recording = Recording.read(reader, run)
    verdict = gate(recording, read_baseline(reader, recording, against), wanted)
    for path, text in ((junit_file, junit), (markdown_file, markdown)):
        if path is not None:
            with storage.atomic_output(path) as sink:
                sink.write(text(verdict).encode())
    if as_json:
        print_json(
            {
                "run_id": verdict.run_id,
                "baseline": list(verdict.baseline),
                "passed": verdict.passed,
                "checks": [check.as_dict() for check in verdict.checks],
            }
        )
    else:
        _print(verdict)
    return SUCCESS if verdict.passed else GATE_FAILED


def _print(verdict: Verdict) -> None:
    console = stdout()
    for check in verdict.checks:
        head = f"{check.status:<10} {check.rule}"
        console.print(Text.assemble((head, _STYLES[check.status]), f"  {check.subject}"), soft_wrap=True)
        for line in wrapped(check.message, max(console.width - 11, 20)):
            console.print(f"{'':<11}{escape(line)}", soft_wrap=True)
    console.print()
    against = verdict.baseline[0] if len(verdict.baseline) == 1 else f"the last {len(verdict.baseline)} runs"
    if verdict.passed:
        known = plural(len(verdict.checks) - len(verdict.not_judged), "check")
        note = f", {len(verdict.not_judged)} not judged" if verdict.not_judged else ""
        console.print(Text(f"{verdict.run_id} passed the gate against {against}: {known} passed{note}", style="green"))
    else:
        failed = f"{len(verdict.failed)} of {plural(len(verdict.checks), 'check')} failed"
        console.print(Text(f"{verdict.run_id} failed the gate against {against}: {failed}", style="bold red"))
