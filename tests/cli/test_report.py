"""What the command line makes of numbers: formats, the table, the books in words, progress."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from mega_data_factory import formats
from mega_data_factory.cli.display.columns import fitted, plain_table, wrapped
from mega_data_factory.cli.display.progress import ProgressView, progress_line
from mega_data_factory.cli.display.run_table import print_report, report_table
from mega_data_factory.cli.display.summary import RunReport
from mega_data_factory.framework.executor import Progress
from mega_data_factory.framework.metrics import OperatorMetrics, RunMetrics, StageMetrics


def operator(name: str, records_in: int, records_out: int, index: int = 0, worker: str = "w0") -> OperatorMetrics:
    rejected = records_in - records_out
    return OperatorMetrics(
        run_id="run_x",
        stage_name="clean",
        operator_name=name,
        worker_id=worker,
        input_records=records_in,
        output_records=records_out,
        operator_index=index,
        total_time=0.5,
        rejected_reasons={"too_short": rejected - 1, "too_long": 1} if rejected > 1 else {},
    )


def report(differences: tuple[str, ...] = (), **run: Any) -> RunReport:
    rows = [operator("text_length_filter", 100, 90), operator("exact_deduplicator", 90, 90, index=1)]
    totals: dict[str, Any] = {"total_input_records": 101, "total_output_records": 90, "planned_records": 101}
    totals |= {
        "committed_records": 90,
        "processed_records": 100,
        "dead_lettered_records": 1,
        "balanced": True,
        "duration": 2.0,
    }
    return RunReport(
        run=RunMetrics(run_id="run_x", **(totals | run)),
        stages=(StageMetrics.from_operators(rows, "clean"),),
        operators=tuple(rows),
        differences=differences,
        paths={"output": "./output", "metrics": "./metrics"},
    )


def rendered(width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(report_table(report(), width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("name", ["text_length_filter", "f" * 90])
def test_no_number_and_no_reason_is_cut(width: int, name: str) -> None:
    """On a narrow screen columns go, reasons take a second line and long names give way; numbers stay whole."""
    rows = [operator(name, 1_234_567, 1_000_000)]
    made = RunReport(report().run, (StageMetrics.from_operators(rows, "clean"),), tuple(rows), (), {})
    console = Console(file=io.StringIO(), width=width)
    console.print(report_table(made, width))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    (row,) = (line for line in lines if line.startswith("  " + name[:10]))
    assert row.split()[1:4] == ["1,234,567", "1,000,000", "234,567"]
    assert "too_short" in row
    assert any("234,566 of" in line for line in lines)
    assert max(len(line) for line in lines) <= width
    assert name in row or len(name) > width / 2


@pytest.mark.parametrize("width", [70, 80, 100])
def test_no_number_is_cut_where_a_run_has_every_column(width: int) -> None:
    """Columns that few runs have go too: created records, those that did not match, and those in no file yet."""
    rows = [operator("chunk", 1_234_567, 2_000_000)]
    rows[0].created_records, rows[0].rejected_reasons = 1_000_000, {"too_short": 234_566, "too_long": 1}
    rows[0].unmatched_records = rows[0].uncommitted_output_records = rows[0].uncommitted_input_records = 55_555
    made = RunReport(report().run, (StageMetrics.from_operators(rows, "clean"),), tuple(rows), (), {})
    console = Console(file=io.StringIO(), width=width)
    console.print(report_table(made, width))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    assert {"1,234,567", "2,000,000", "234,567"} <= set(text.split())
    assert max(map(len, text.splitlines())) <= width


def test_a_column_that_has_room_again_comes_back() -> None:
    """A wide column that had to go makes room for narrow ones that went before it."""

    @dataclass(frozen=True)
    class Column:
        heading: str
        goes: int = 0

    def build(columns: Sequence[Column]) -> Table:
        table = plain_table()
        for column in columns:
            table.add_column(column.heading)
        return table

    columns = [Column("name"), Column("pipeline", 1), Column("w" * 40, 2)]
    table, left_out = fitted(columns, build, 30)
    assert [str(column.header) for column in table.columns] == ["name", "pipeline"]
    assert left_out == ["w" * 40]


def test_text_is_broken_between_words_and_never_in_a_command() -> None:
    """A command between backticks has its own line where it is longer than the screen, in one piece."""
    command = "`mdf report run_20261127_085915_f5e138ab --metrics ./metrics`"
    lines = wrapped(f"some of it is shown by {command} in full", 30)
    assert lines == ["some of it is shown by", command, "in full"]
    assert wrapped("stages[0].operators[0].params.min_length: unknown", 30) == [
        "stages[0].operators[0].params.min_length:",
        "unknown",
    ]
    assert wrapped("", 30) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0 s"),
        (8.5e-8, "85.0 ns"),
        (9.996e-7, "1.00 µs"),
        (0.0000123, "12.3 µs"),
        (0.99996, "1.00 s"),
        (59.94, "59.9 s"),
        (725, "12 min 05 s"),
        (7265, "2 h 01 min"),
    ],
)
def test_seconds(value: float | None, text: str) -> None:
    """Seconds have three digits in the unit that suits."""
    assert formats.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (100, "100 %"),
        (99.99, ">99.9 %"),
        (99.9, "99.9 %"),
        (0.001, "<0.1 %"),
        (0, "0 %"),
        (48.25, "48.2 %"),
    ],
)
def test_percent_never_rounds_a_loss_away(value: float | None, text: str) -> None:
    """Only a rate of exactly 100 is written 100 %, only one of exactly 0 is written 0 %."""
    assert formats.percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(3.14159, "3.14 /s"), (123.4, "123 /s"), (45678.9, "45,679 /s"), (2_340_000, "2.34 M/s")]
)
def test_rate(value: float, text: str) -> None:
    """Rates are whole from 100 on, and in millions from a million on."""
    assert formats.rate(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(999, "999 B"), (1000, "1.00 kB"), (999_900, "1.00 MB"), (7e12, "7.00 TB")]
)
def test_size(value: float, text: str) -> None:
    """Bytes are in decimal units."""
    assert formats.size(value) == text


@given(st.floats(min_value=1e-12, max_value=1e6))
def test_seconds_keep_their_first_digits(value: float) -> None:
    """What is written of seconds below a minute is within half a percent of the value."""
    text = formats.seconds(value)
    if value < 59.9 and value > 1e-9:
        number, unit = text.split()
        assert float(number.replace(",", "")) * {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1}[unit] == pytest.approx(
            value, rel=0.0051
        )


def test_a_wide_table_has_every_column() -> None:
    """On a wide screen nothing is left out."""
    text = rendered(200)
    assert all(heading in text for heading in ("in", "out", "rejected", "errors", "busy", "p50", "p95", "p99"))
    assert "left out" not in text


def test_created_records_have_a_column_where_there_are_some() -> None:
    """It stands behind what came in; the equation of the books names it then."""
    assert "created" not in rendered(200)
    rows = [operator("chunk", 100, 300), operator("f", 300, 290, index=1)]
    rows[0].created_records, rows[0].rejected_reasons = 210, {"empty": 10}
    made = replace(
        report(created_records=210), stages=(StageMetrics.from_operators(rows, "clean"),), operators=tuple(rows)
    )
    screen = io.StringIO()
    console = Console(file=screen, width=200)
    console.print(report_table(made, 200))
    lines = screen.getvalue().splitlines()
    assert next(line for line in lines if "stage / operator" in line).split()[3:6] == ["in", "created", "out"]
    assert next(line for line in lines if "chunk" in line).split()[:4] == ["chunk", "100", "210", "300"]
    assert "created: records made beside those that came in" in screen.getvalue()
    assert made.books().endswith("every operator: input + created = output + rejected + errors")


def test_a_narrow_table_says_what_it_leaves_out() -> None:
    """On 80 columns the least important columns go, the table says which, and no line is too long."""
    text = rendered(80)
    assert "hidden (terminal too narrow): p50, p95" in text
    assert "rejected" in text
    assert max(map(len, text.splitlines())) <= 80


def test_workers_are_merged_into_one_row() -> None:
    """The report has one row for an operator, whatever the number of workers, in plan order."""
    from mega_data_factory.framework.config.pipeline import PipelineConfig
    from mega_data_factory.framework.plan import make_plan

    config = {
        "data_loader": {"type": "text_loader", "params": {"path": "x"}},
        "stages": [{"name": "clean", "operators": [{"name": "text_length_filter"}, {"name": "exact_deduplicator"}]}],
        "data_writer": {"type": "parquet_writer", "params": {"output_path": "out"}},
    }
    rows = [
        operator("exact_deduplicator", 5, 5, index=1, worker="a"),
        operator("text_length_filter", 4, 2, worker="b"),
        operator("text_length_filter", 6, 3, worker="a"),
    ]
    stages = [StageMetrics.from_operators(rows, "clean")]
    made = RunReport.from_plan(make_plan(PipelineConfig.from_dict(config)), RunMetrics(run_id="run_x"), stages, rows)
    assert [(row.operator_name, row.input_records, row.output_records) for row in made.operators] == [
        ("text_length_filter", 10, 5),
        ("exact_deduplicator", 5, 5),
    ]


def test_closed_books_are_told_as_an_equation() -> None:
    """Closed books name planned, processed and dead-lettered records."""
    expected = "the books balance: planned 101 = processed 100 + dead-lettered 1; every operator: input = output + "
    assert report().books() == expected + "rejected + errors"
    assert "+ unreadable 3" in report(loader_errors=3).books()


def test_open_books_are_not_called_closed() -> None:
    """A difference, an interruption and metrics that are off are each told as what they are."""
    broken = report(differences=("clean/a passed on 5 records, clean/b was offered 4",))
    assert broken.balanced is False
    assert broken.books().startswith("the books do NOT balance: clean/a passed on 5")
    assert "was interrupted after 90 records" in report(status="interrupted", balanced=None).books()
    assert "not counted against a plan" in report(planned_records=None).books()


def test_the_whole_report_prints() -> None:
    """The report on the screen holds the table, the totals, the books and the places to look at."""
    console = Console(file=io.StringIO(), width=160)
    print_report(report(output_files=1, output_bytes=2_000_000), console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    for part in (
        "text_length_filter",
        "run_x completed in 2.00 s",
        "1 file, 2.00 MB",
        "the books balance",
        "./metrics",
    ):
        assert part in text


def test_progress_off_a_terminal_is_a_line_every_five_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    """Where stderr is no terminal, progress is one plain line in five seconds, and stdout stays clean."""
    now = [0.0]
    with ProgressView(quiet=False, lines_to_stderr=False, clock=lambda: now[0]) as view:
        for tick in range(12):
            now[0] = float(tick)
            view.show(Progress(records_read=tick * 100, elapsed=float(tick)))
    captured = capsys.readouterr()
    assert captured.err.splitlines() == [
        "500 read, 0 written, 0 rejected; 100 /s, 5.00 s",
        "1,000 read, 0 written, 0 rejected; 100 /s, 10.0 s",
    ]
    assert captured.out == ""


def test_progress_names_errors_only_where_there_are_some() -> None:
    """Errors and dead letters appear in the line once there are any."""
    assert "errors" not in progress_line(Progress())
    assert "3 errors, 1 dead-lettered" in progress_line(Progress(record_errors=3, dead_lettered=1))
