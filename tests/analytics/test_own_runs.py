"""Runs of scripts that measure themselves: nothing is said of a pipeline, or of work too short to judge."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mega_data_factory.analytics.findings import find
from mega_data_factory.analytics.findings.finding import Finding
from mega_data_factory.analytics.performance.overhead import overhead_share
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.cli.commands.runs.list_and_show import stored_report
from mega_data_factory.cli.display.run_table import print_report
from mega_data_factory.framework.metrics import MetricsCollector, MetricsReader, MetricsWriter
from mega_data_factory.testing import FakeClock
from tests.present import present


def own_run(
    folder: Path,
    batches: int = 0,
    seconds: float = 0.001,
    error: BaseException | None = None,
    **totals: Any,
) -> MetricsReader:
    """Write the run of a script: one stage, one operator."""
    clock = FakeClock()
    collector = MetricsCollector("run_own", clock=clock, now=clock.now)
    try:
        with collector.track_run() as run:
            run.set(**totals)
            for _ in range(batches):
                with collector.track_stage("clean"), collector.track_operator("filter", "clean", "w") as op:
                    clock.advance(seconds)
                    op.records(10, 9)
            if error:
                raise error
    except (OSError, KeyboardInterrupt):
        pass
    row = present(collector.get_run_metrics())
    row.instrumentation_seconds = 0.48
    MetricsWriter(folder).write_all(row, collector.get_stage_metrics(), collector.get_operator_metrics())
    return MetricsReader(folder)


def said(reader: MetricsReader) -> tuple[str, list[Finding]]:
    """What the terminal and the report say of the run."""
    console = Console(width=200, record=True, file=io.StringIO())
    print_report(stored_report(reader, reader.levels("run_own")), console)
    found = find(Recording.read(reader, "run_own"))
    return console.export_text(), found


@pytest.mark.parametrize("error", [None, OSError("disk"), KeyboardInterrupt()])
@pytest.mark.parametrize("batches", [0, 10])
def test_no_advice_about_a_pipeline(tmp_path: Path, batches: int, error: BaseException | None) -> None:
    """A script has no loader, no configuration and nothing to resume, however it ends."""
    text, found = said(own_run(tmp_path, batches, error=error))
    for word in ("data_loader", "executor.", "--resume", "mdf run", "NOT balance", "reconciled"):
        assert word not in text
        assert not [finding for finding in found if word in f"{finding.title} {finding.detail} {finding.suggestion}"]
    assert "records were not counted against a plan" in text


@pytest.mark.parametrize(("seconds", "share"), [(0.0001, None), (0.09, None), (0.2, "24.0 %"), (8.0, "0.6 %")])
def test_overhead_is_a_share_of_enough_work(tmp_path: Path, seconds: float, share: str | None) -> None:
    """Of less than a second of work no share is told, and nothing is called good."""
    text, found = said(own_run(tmp_path, 10, seconds))
    (line,) = re.findall("metrics overhead .*", text)
    assert (re.findall(r"\((.*) of busy time\)", line) or [None]) == [share]
    assert [f.severity for f in found if f.kind == "instrumentation"] == (["good"] if share == "0.6 %" else [])


def test_no_share_of_nothing() -> None:
    """Neither of no work, nor where the cost is not known."""
    assert [overhead_share(*pair) for pair in ((None, 9.0), (0.0, 9.0), (1.0, 0.0), (1.0, 0.999), (3.0, 1.5))] == [
        *[None] * 4,
        2.0,
    ]
