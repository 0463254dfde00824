"""Slices of a run as findings and tables show them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mega_data_factory.analytics.findings.slices import odd_slices
from mega_data_factory.analytics.runs.earlier_runs import EarlierRuns
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.cli import main
from mega_data_factory.framework.metrics import MetricsReader, MetricsWriter, OperatorMetrics, RunMetrics, StageMetrics
from mega_data_factory.framework.metrics.schema import SLICES, to_table
from mega_data_factory.reports import write_report
from mega_data_factory.reports.slice_table import slice_tables
from tests.dashboard.visiting import Visitor, found, texts

RUN = "run_slices"
START = datetime(2026, 1, 24, 12, 0)


def row(
    value: str | None, came: int, rejected: int, *, by: str = "dump", operator: str = "length", **more: Any
) -> dict[str, Any]:
    return {
        "run_id": RUN,
        "stage_name": "judge",
        "operator_name": operator,
        "operator_index": 0,
        "slice_by": by,
        "slice_kind": "null" if value is None else "value",
        "slice_value": value,
        "slices": 1,
        "timestamp": START,
        "input_records": came,
        "output_records": came - rejected,
        "pass_rate": 100 * (came - rejected) / came,
        "rejected_records": rejected,
        "error_count": 0,
        "rejected_reasons": {"too_short": rejected} if rejected else {},
        "input_text_bytes": 100 * came,
        "output_text_bytes": 100 * (came - rejected),
        "missed_records": 0,
        **more,
    }


def recording(*rows: Mapping[str, Any]) -> Recording:
    return Recording({"run_id": RUN}, slice_rows=to_table(rows, SLICES, RUN))


def odd(*shares: tuple[int, int]) -> list[str]:
    rows = [row(f"s{number}", came, rejected) for number, (came, rejected) in enumerate(shares)]
    return [finding.title for finding in odd_slices(recording(*rows), EarlierRuns())]


def test_a_slice_that_is_rejected_unlike_all_others_is_found() -> None:
    """Operator, slice and both shares are in the title, the numbers in the evidence."""
    slices = [row(f"cc-{number}", 2000, 160 + number) for number in range(5)]
    findings = list(odd_slices(recording(*slices, row("cc-47", 2000, 1840)), EarlierRuns()))
    (finding,) = findings
    assert finding.title == "length rejects 92.0 % of cc-47, 8.1 % elsewhere"
    assert finding.evidence["slice"] == "cc-47"
    assert finding.evidence["rejected_share"] == pytest.approx(0.92)
    assert "--by 'dump'" in finding.suggestion


@pytest.mark.parametrize(
    ("value", "shown"), [("", "(empty)"), ("a\n\x1b[2J", "a\ufffd\ufffd[2J"), (None, "records without dump")]
)
def test_a_title_is_one_line_whatever_the_value(value: str | None, shown: str) -> None:
    """An empty value has a name, and line ends and escape sequences are replaced."""
    slices = [row(f"cc-{number}", 2000, 160) for number in range(5)]
    (finding,) = odd_slices(recording(*slices, row(value, 2000, 1840)), EarlierRuns())
    assert finding.title == f"length rejects 92.0 % of {shown}, 8.0 % elsewhere"


def test_the_same_records_by_another_name_are_said_once() -> None:
    """A file and the column that names it are one slice."""
    slices = [row(f"{number}", 1000, 1000 if number == 9 else 50, by=by) for by in ("a", "b") for number in range(10)]
    assert len(list(odd_slices(recording(*slices), EarlierRuns()))) == 1


@pytest.mark.parametrize(
    "shares",
    [
        [(2000, 160), (2000, 1840)],  # of two that differ neither is the odd one
        [(100, 8), (100, 8), (100, 8), (100, 8), (100, 92)],  # few records
        [(900, 20), (900, 890), (900, 880), (900, 895), (900, 890)],  # the one that passes is wanted
        [(900, 50), (900, 300), (900, 500), (900, 700), (900, 850)],  # slices differ anyway
        [(900, 90), (900, 80), (900, 85), (900, 95), (900, 250)],  # not far off
        [(900, 90)] * 6 + [(900, 600), (900, 620)],  # two of eight: another population
        [(900, 90), (900, 100), (900, 110), (900, 130), (900, 400), (900, 700)],  # the end of a range
    ],
)
def test_slices_that_differ_within_reason_are_not_reported(shares: list[tuple[int, int]]) -> None:
    """A finding needs several large slices that are alike, and one far off that is rejected more."""
    assert odd(*shares) == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with slices, of which a value would harm a terminal and a page."""
    path: Path = tmp_path_factory.mktemp("slices")
    rows = [OperatorMetrics(RUN, "judge", "length", "judge-0", START)]
    rows[0].observe(1.0, 1400, 900, reasons={"too_short": 500})
    writer = MetricsWriter(path)
    run = RunMetrics(RUN, START, START, status="completed", total_input_records=1400, total_output_records=900)
    writer.write_all(run, [StageMetrics.from_operators(rows, "judge", RUN)], rows)
    slices = [row("\x1b[31m<b>cc</b>\n", 800, 500), row(None, 500, 0), row("", 60, 0)]
    slices += [row(None, 40, 0, slice_kind="other", slices=7, missed_records=None), row("en", 1400, 500, by="lang")]
    writer.write_details("slices", slices, RUN)
    return path


SHOWN = [
    ["\N{REPLACEMENT CHARACTER}[31m<b>cc</b>\N{REPLACEMENT CHARACTER}", "800", "300", "500", "0", "37.5 %"],
    ["(null)", "500", "500", "0", "0", "100 %"],
    ["(empty)", "60", "60", "0", "0", "100 %"],
    ["other (7 slices)", "40", "40", "0", "0", "100 %"],
]


def test_all_screens_have_the_same_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Terminal, report and dashboard show the same slices under the same headings; nothing in a value is obeyed."""
    expected = slice_tables(Recording.read(MetricsReader(folder), RUN).slices)[0]
    assert [list(cells[:6]) for cells in expected.rows] == SHOWN
    assert main(["runs", "show", RUN, "--by", "dump", "--metrics", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    head = next(line for line in lines if line.lstrip().startswith("dump"))
    assert head.split() == ["dump", *" ".join(expected.columns).split()]
    for cells in expected.rows:
        assert any(line.split() == " ".join(cells).split() for line in lines), cells
    write_report(MetricsReader(folder), RUN, folder / "report.html")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<h3>judge / length by dump</h3>" in page.replace("<wbr>", "")
    assert "<b>cc</b>" not in page
    assert "(null)" in page
    with Visitor(folder) as visitor:
        parts = visitor.page(f"/run/{RUN}/stage/judge/operator/length")
    shown = [
        [["".join(texts(cell)) for cell in tr["children"]] for tr in found(one, "Tr")] for one in found(parts, "Table")
    ]
    (of_dump,) = [rows for rows in shown if rows[0][0] == "dump"]
    assert of_dump == [["dump", *expected.columns], *map(list, expected.rows)]


def test_slices_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Values are there as they were, and counts as numbers."""
    assert main(["runs", "show", RUN, "--by", "dump", "--metrics", str(folder), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    first = answer["slices"][0]
    assert (first["value"], first["input"], first["reasons"]) == ("\x1b[31m<b>cc</b>\n", 800, {"too_short": 500})


def test_an_unknown_slice_names_those_there_are(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run is shown by what it was sliced by only; the message says by what."""
    assert main(["runs", "show", RUN, "--by", "dumb", "--metrics", str(folder)]) == 2
    error = capsys.readouterr().err
    assert "no slices by 'dumb'; it has some by dump, lang" in error
    assert "dump" in error


def test_a_run_without_slices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It has no section of slices, and `--by` says how to have some."""
    MetricsWriter(tmp_path).write_all(RunMetrics(RUN, START, START, status="completed"), [], [])
    assert main(["runs", "show", RUN, "--by", "dump", "--metrics", str(tmp_path)]) != 0
    assert "executor.metrics.slice_by" in capsys.readouterr().err
    write_report(MetricsReader(tmp_path), RUN, tmp_path / "report.html")
    assert "Slices" not in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert isinstance(MetricsReader(tmp_path).details("slices", RUN), pa.Table)
