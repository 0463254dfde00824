"""`mdf run`: hand a pipeline to the executor, show progress, report what came of it."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, redirect_stdout
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mega_data_factory.cli.advice import advice
from mega_data_factory.cli.commands.runs.cost import print_cost_line
from mega_data_factory.cli.commands.runs.list_and_show import stored_report
from mega_data_factory.cli.display.console import stderr, stdout
from mega_data_factory.cli.display.progress import ProgressView, progress_line
from mega_data_factory.cli.display.run_table import print_report
from mega_data_factory.cli.display.summary import RunReport
from mega_data_factory.cli.failures import (
    INTERRUPTED,
    RUN_FAILED,
    SUCCESS,
    TERMINATED,
    as_json_error,
    exit_code,
    print_error,
    print_json,
)
from mega_data_factory.collection import no_collection
from mega_data_factory.errors import MdfError
from mega_data_factory.framework.config.pipeline import PipelineConfig
from mega_data_factory.framework.executor import Executor, Progress
from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.framework.worker.without_pandas import keep_pandas_out
from mega_data_factory.redaction import without_credentials


class _Termination:
    """SIGTERM, as a scheduler sends it before it takes the machine away: the run ends as with Ctrl-C.

    Attributes:
        came: whether it has come. The exception does not tell: Ray raises a KeyboardInterrupt of its own where the
            signal meets one of its calls.
    """

    came = False

    def interrupt(self, *_: object) -> None:
        """Handle the signal."""
        self.came = True
        raise KeyboardInterrupt


@contextmanager
def _terminated_like_interrupted() -> Iterator[_Termination]:
    termination = _Termination()
    before = signal.signal(signal.SIGTERM, termination.interrupt)
    try:
        yield termination
    finally:
        signal.signal(signal.SIGTERM, before)


def run(
    config: Path, overrides: Sequence[str], *, run_id: str | None, resume: str | None, quiet: bool, as_json: bool
) -> int:
    """Run a pipeline, or resume a run of it.

    JSON: the keys of `RunReport.as_json`, or `progress` where metrics are off; for a run that failed, `error`
    (`slug`, `message`, `hint`) as well.

    Returns:
        The exit code; 1 also for a run whose books do not balance.

    Raises:
        MdfError: the run could not be started, or cannot be resumed.
    """
    keep_pandas_out()
    with no_collection():
        checked = PipelineConfig.from_yaml(config, overrides, with_components=True)
        executor = Executor(checked, run_id=run_id, resume=resume)
    ended = _run_to_end(executor, quiet=quiet, as_json=as_json)
    report = _full_report(executor, with_findings=as_json or not quiet)
    if as_json:
        answer = report.as_json() if report else {"progress": _progress_json(ended.progress)}
        print_json(answer | ({"error": as_json_error(ended.failure)} if ended.failure else {}))
    elif not quiet:
        _print_outcome(executor, ended, report)
    if (ended.failure or ended.interrupted) and executor.books.batches and executor.resumable:
        given = " ".join(["--config", shlex.quote(str(config)), *(f"--set {shlex.quote(text)}" for text in overrides)])
        command = without_credentials(f"mdf run {given} --resume {executor.run_id}")
        stderr().print(f"to resume: {command}", markup=False, soft_wrap=True)
    if ended.failure:
        print_error(ended.failure, as_json=False)
        return exit_code(ended.failure)
    if ended.interrupted is not None:
        return ended.interrupted
    return RUN_FAILED if report and report.balanced is False else SUCCESS


def _progress_json(progress: Progress) -> dict[str, Any]:
    return {name: value for name, value in asdict(progress).items() if name != "step"}


@dataclass(frozen=True)
class _Ended:
    """How a run ended.

    Attributes:
        progress: the last progress.
        failure: the error that ended it; None if there was no error.
        interrupted: exit code of the signal that ended it; None if there was no signal.
    """

    progress: Progress
    failure: MdfError | None = None
    interrupted: int | None = None


def _run_to_end(executor: Executor, *, quiet: bool, as_json: bool) -> _Ended:
    """Run the pipeline and show its progress, until it has completed, has failed or was interrupted."""
    progress = Progress()
    # Ray prints remarks of its own on stdout, which with --json belongs to the one document.
    aside = redirect_stdout(sys.stderr) if as_json else nullcontext()
    with (
        ProgressView(quiet=quiet, lines_to_stderr=as_json) as view,
        aside,
        _terminated_like_interrupted() as termination,
    ):
        try:
            with closing(executor.execute()) as steps:
                for progress in steps:
                    view.show(progress)
        except KeyboardInterrupt:
            return _Ended(progress, interrupted=TERMINATED if termination.came else INTERRUPTED)
        except MdfError as error:
            return _Ended(progress, failure=error)
    return _Ended(progress)


def _full_report(executor: Executor, *, with_findings: bool) -> RunReport | None:
    """Return the report of a run, with its page written beside the metrics; None if metrics are off."""
    report = _earlier_report(executor) if executor.had_completed else _report(executor)
    if report is None:
        return None
    settings = executor.plan.executor.metrics
    if settings.write_on_completion and with_findings:
        report = replace(report, findings=advice(MetricsReader(settings.output_path), executor.run_id))
    page = _written_report(executor)
    return report if page is None else replace(report, paths={**report.paths, "report": page})


def _print_outcome(executor: Executor, ended: _Ended, report: RunReport | None) -> None:
    if ended.failure and not ended.progress.records_read:
        return  # a run that failed before it began has a reason, which comes next, and no table worth a screen
    if report:
        print_report(report, stdout())
        metrics = executor.plan.executor.metrics
        if metrics.prices is not None and metrics.write_on_completion:
            reader = MetricsReader(metrics.output_path)
            print_cost_line(reader, reader.levels(executor.run_id), stdout())
    elif not ended.failure and not executor.had_completed:
        stdout().print(f"metrics are off, so there is no table: {progress_line(ended.progress)}")


def _written_report(executor: Executor) -> str | None:
    """Write the HTML report of the run if configured; return its path, or None."""
    metrics = executor.plan.executor.metrics
    if not (metrics.generate_report and metrics.write_on_completion):
        return None
    from mega_data_factory.cli.commands.views.report import report_beside

    written = report_beside(metrics.output_path, executor.run_id)
    return written.path if written else None


def _earlier_report(executor: Executor) -> RunReport | None:
    """Return the report of a run that had completed before it was resumed; None if its metrics are off."""
    metrics = executor.plan.executor.metrics
    if not (metrics.enabled and metrics.write_on_completion):
        return None
    reader = MetricsReader(metrics.output_path)
    return stored_report(reader, reader.levels(executor.run_id))


def _report(executor: Executor) -> RunReport | None:
    collector = executor.metrics_collector
    run = collector.get_run_metrics()
    if run is None:
        return None
    operators = collector.get_operator_metrics()
    differences = executor.books.differences(operators, finished=run.status == "completed")
    return RunReport.from_plan(executor.plan, run, collector.get_stage_metrics(), operators, differences)
