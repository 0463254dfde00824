"""Every screen shows the same figure of a run under the same heading."""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pytest

from mega_data_factory.cli import main
from mega_data_factory.exports.superset.datasets import DATASETS
from mega_data_factory.exports.superset.views.file import write_views
from mega_data_factory.formats import NOTHING, count, percent, rate, seconds, size
from mega_data_factory.framework.metrics import MetricsReader, MetricsWriter, OperatorMetrics, RunMetrics, StageMetrics
from mega_data_factory.framework.metrics.rows.rollup import top_reason
from mega_data_factory.reports import write_report
from tests.dashboard.visiting import Visitor, found, texts

RUN = "run_screens"
START = datetime(2026, 1, 24, 12, 0)

UNITS = ("text in", "text out", "tokens in", "tokens out")

Table = dict[str, dict[str, str]]
"""Name of a row → heading → text."""


def measured(
    stage: str, operator: str, worker: int, place: tuple[int, int], records: int, pace: float
) -> OperatorMetrics:
    """What one worker did with batches of different latencies: it rejects for two reasons of like frequency."""
    row = OperatorMetrics(RUN, stage, operator, f"{stage}-{worker}", START)
    row.stage_index, row.operator_index = place
    chance = random.Random(f"{stage} {operator} {worker}")
    for _ in range(8):
        creates = records if operator == "chunk" else 0
        row.observe(
            records * pace * chance.uniform(0.5, 3.0),
            records,
            records + creates - 9,
            1,
            reasons={"short": 4, "long": 4},
            created_records=creates,
            unmatched_records=2 if operator == "model" else 0,
            custom={"hits": 3.5},
            text_bytes=(records * 100, records * 90),
            tokens=(None if operator == "chunk" else records * 20, records * 19),
        )
    return row


def store(folder: Path, **run: Any) -> None:
    """Write a run whose workers differ, one of which had no work, with records in no file yet."""
    rows = [measured("wash", "chunk", worker, (0, 0), 100 + 50 * worker, 1e-4) for worker in (0, 1)]
    rows += [measured("wash", "filter", worker, (0, 1), 191 + 100 * worker, 3e-4 * (1 + worker)) for worker in (0, 1)]
    rows += [measured("dry", "model", worker, (1, 0), 221 - 5 * worker, 7e-3) for worker in range(3)]
    rows[-1].uncommitted_input_records, rows[-1].uncommitted_output_records = 30, 20
    rows[-1].uncommitted_time = 0.25
    config = {
        "stages": [{"name": "wash", "worker": {"num_replicas": 4}}, {"name": "dry", "worker": {"num_replicas": 3}}]
    }
    written = sum(row.output_records for row in rows[-3:])
    values: dict[str, Any] = {
        "start_time": START,
        "end_time": START + timedelta(seconds=77),
        "duration": 77.0,
        "pipeline": "laundry",
        "engine": "local",
        "total_input_records": 2000,
        "total_output_records": written,
        "total_errors": sum(row.error_count for row in rows),
        "rejected_records": sum(row.rejected_records for row in rows),
        "created_records": sum(row.created_records for row in rows),
        "output_files": 3,
        "output_bytes": 123_456,
        "balanced": True,
        "planned_records": 2000,
        "processed_records": 2000,
        "committed_records": written,
        "config": config,
    }
    stages = [StageMetrics.from_operators(rows, stage, RUN) for stage in ("wash", "dry")]
    MetricsWriter(folder).write_all(RunMetrics(RUN, **values | run), stages, rows)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("screens")
    store(path)
    return path


# ── what the screens show ─────────────────────────────────────────────────────────────────────────────────────────────


def told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object) -> str:
    """What a command prints on a wide terminal."""
    monkeypatch.setenv("COLUMNS", "300")
    assert main([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out


def on_terminal(text: str) -> Table:
    """The table of stages and operators: columns end where their headings end, the last begins where it begins."""
    lines = text.splitlines()
    at, head = next((at, line) for at, line in enumerate(lines) if line.startswith("stage / operator"))
    ends = {match[0]: match.end() for match in re.finditer(r"\S+(?: \S+)*", head)}
    headings = list(ends)
    table: Table = {}
    for line in lines[at + 2 :]:
        if not re.search(r"\d", line[len(head.split("  ")[0]) :]):
            break
        name = re.split(r"\s{2,}", line.strip())[0]
        cells = {headings[-1]: line[ends[headings[-2]] :].strip()}
        for before, heading in itertools.pairwise(headings[1:-1]):
            cells[heading] = line[ends[before] : ends[heading]].strip()
        cells[headings[1]] = line[: ends[headings[1]]].split("  ")[-1].strip()
        table[name] = cells
    return table


class _Rows(HTMLParser):
    """The texts of the cells of the tables of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._open = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td") and self.rows:
            self.rows[-1].append("")
            self._open = True

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag not in ("th", "td")

    def handle_data(self, data: str) -> None:
        if self._open:
            self.rows[-1][-1] += data


def of_rows(rows: list[list[str]]) -> Table:
    """The table that begins with the heading of stages and operators."""
    at = next(at for at, row in enumerate(rows) if row[:1] == ["stage / operator"])
    width = len(rows[at])
    table: Table = {}
    for row in rows[at + 1 :]:
        if len(row) != width:
            break
        table[row[0].replace(" · ", " ").strip()] = dict(zip(rows[at][1:], row[1:], strict=True))
    return table


def in_report(folder: Path) -> Table:
    """The same table of the report."""
    write_report(MetricsReader(folder), RUN, folder / "report.html")
    return of_rows(_Rows((folder / "report.html").read_text(encoding="utf-8")).rows)


def of_page(page: Any) -> Table:
    """The same table of a page of the dashboard."""
    for table in found(page, "Table"):
        rows = [["".join(texts(cell)) for cell in cells_of(row)] for row in found(table["children"], "Tr")]
        if rows[0][0] == "stage / operator":
            return of_rows(rows)
    raise AssertionError("no table of stages and operators")


def cells_of(row: dict[str, Any]) -> Iterator[Any]:
    """The cells of a row, in order."""
    children = row["children"]
    for child in children if isinstance(children, list) else [children]:
        assert child["type"] in ("Th", "Td")
        yield child["props"].get("children")


# ── stages and operators ──────────────────────────────────────────────────────────────────────────────────────────────


def test_terminal_report_and_dashboard_have_the_same_table(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same headings, same rows, same text in every cell; and it is a table in which all columns say something."""
    shown = on_terminal(told(capsys, monkeypatch, "runs", "show", RUN, "--metrics", folder))
    assert list(shown) == ["wash 2 of 4 workers", "chunk", "filter", "dry 3 workers", "model"]
    assert {"created", "not matched", "not in a file", *UNITS} < shown["chunk"].keys()
    assert shown["chunk"]["top reason"] == "long 64 of 128"
    assert all(text for name in ("chunk", "filter", "model") for text in shown[name].values())
    assert in_report(folder) == shown
    with Visitor(folder) as visitor:
        assert of_page(visitor.page(f"/run/{RUN}")) == shown
        wash = of_page(visitor.page(f"/run/{RUN}/stage/wash"))
    common = shown["chunk"].keys() - {"not matched", "not in a file"}
    assert {name: {heading: row[heading] for heading in common} for name, row in wash.items()} == {
        name: {heading: shown[name][heading] for heading in common} for name in list(shown)[:3]
    }


def test_busy_of_a_stage_is_that_of_its_operators(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over all workers, and records per second of a worker follow from it."""
    shown = on_terminal(told(capsys, monkeypatch, "runs", "show", RUN, "--metrics", folder))
    operators = MetricsReader(folder).operators(RUN).to_pylist()
    busy = sum(row["total_time"] for row in operators if row["stage_name"] == "wash")
    assert shown["wash 2 of 4 workers"]["busy"] == seconds(busy)
    assert shown["wash 2 of 4 workers"]["per worker"] == rate(2000 / busy)


def test_json_has_the_figures_of_the_table(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of stages and operators, where a column of the metrics is shown under a heading."""
    shown = on_terminal(told(capsys, monkeypatch, "runs", "show", RUN, "--metrics", folder))
    answer = json.loads(told(capsys, monkeypatch, "runs", "show", RUN, "--metrics", folder, "--json"))
    names = iter(shown)
    for stage in answer["stages"]:
        name = next(names)
        assert name.split()[1] == str(stage["num_workers"])
        assert counts_of(stage) == {heading: shown[name][heading] for heading in counts_of(stage)}
        for operator in stage["operators"]:
            row = shown[next(names)]
            figures = counts_of(operator) | {
                "busy": seconds(operator["total_time"]),
                "per worker": rate(operator["throughput"]),
                **{q: seconds(operator[f"{q}_latency"]) for q in ("p50", "p95", "p99")},
                "not matched": count(operator["unmatched_records"]),
                "top reason": top_reason(operator["rejected_reasons"], operator["rejected_records"]),
            }
            assert figures == {heading: row[heading] for heading in figures}
        assert sum(operator["created_records"] for operator in stage["operators"]) == stage["created_records"]


def counts_of(row: dict[str, Any]) -> dict[str, str]:
    """What stages and operators have alike."""
    return {
        "in": count(row["input_records"]),
        "out": count(row["output_records"]),
        "rejected": count(row["rejected_records"]),
        "errors": count(row["error_count"]),
        "created": count(row["created_records"]),
        "pass": percent(row["pass_rate"]),
        "text in": size(row["input_text_bytes"]),
        "text out": size(row["output_text_bytes"]),
        "tokens in": count(row["input_tokens"]),
        "tokens out": count(row["output_tokens"]),
    }


# ── Superset ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_COUNTS = {
    "Records in": ("in", count),
    "Records out": ("out", count),
    "Rejected": ("rejected", count),
    "Errors": ("errors", count),
    "Created": ("created", count),
    "Pass rate": ("pass", lambda value: percent(100 * value)),
}
_OPERATOR = _COUNTS | {
    "Not matched": ("not matched", count),
    "Records/s per worker": ("per worker", rate),
    "Busy (s)": ("busy", seconds),
}


def asked(folder: Path, dataset: str, by: str) -> dict[str, dict[str, Any]]:
    """Label of every metric of a dataset → its value, for each value of a column."""
    metrics = next(one for one in DATASETS if one.name == dataset).metrics
    columns = ", ".join(f'{metric.expression} AS "{metric.name}"' for metric in metrics)
    views = folder / "metrics.duckdb"
    if not views.exists():
        write_views(folder, views)
    with duckdb.connect(str(views), read_only=True) as connection:
        rows = connection.execute(f"SELECT {by}, {columns} FROM {dataset} GROUP BY {by}").fetchall()
    return {row[0]: dict(zip([metric.label for metric in metrics], row[1:], strict=True)) for row in rows}


def test_superset_has_the_figures_of_the_table(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its metrics compute in SQL is what the terminal shows; what means another thing has another name."""
    shown = on_terminal(told(capsys, monkeypatch, "runs", "show", RUN, "--metrics", folder))
    operators, stages = (asked(folder, f"{what}_history", f"{what}_name") for what in ("operator", "stage"))
    for name, row in operators.items():
        for label, (heading, text) in _OPERATOR.items():
            assert text(row[label]) == shown[name][heading], (name, label)
    summed = {name.split()[0]: row for name, row in shown.items() if "worker" in name}
    for name, row in stages.items():
        for label, (heading, text) in _COUNTS.items():
            assert text(row[label]) == summed[name][heading], (name, label)
        assert "Busy (s)" not in row


def test_percentiles_of_superset_are_those_of_the_rows(folder: Path) -> None:
    """From the same histograms; only the bounds of what was seen are missing, which is less than the error."""
    operators = asked(folder, "operator_history", "operator_name")
    rows = MetricsReader(folder).operators(RUN).to_pylist()
    for name, found_ in operators.items():
        merged = OperatorMetrics.merged(
            OperatorMetrics.from_dict(
                {**row, "rejected_reasons": json.loads(row["rejected_reasons"]), "custom_metrics": None}
            )
            for row in rows
            if row["operator_name"] == name
        )
        for q in ("p50", "p95", "p99"):
            assert found_[f"{q} (ms)"] == pytest.approx(1000 * getattr(merged, f"{q}_latency"), rel=0.006)


# ── the run ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_RUN = ("duration", "read", "written", "pass", "throughput", "errors")


@pytest.mark.parametrize("status", ["completed", "aborted"])
def test_figures_of_a_run_are_the_same_everywhere(
    status: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lists of runs, tiles and the line below the table; also of a run that was killed 40 seconds after its start."""
    killed: dict[str, Any] = {"status": "running", "end_time": None, "duration": 39.0, "balanced": None}
    killed["heartbeat"] = START + timedelta(seconds=40)
    store(tmp_path, **({} if status == "completed" else killed))
    listed = on_terminal_list(told(capsys, monkeypatch, "runs", "list", "--metrics", tmp_path))
    below = told(capsys, monkeypatch, "runs", "show", RUN, "--metrics", tmp_path)
    sentence = next(line for line in below.splitlines() if line.startswith(f"{RUN} {status}"))
    with Visitor(tmp_path) as visitor:
        table = next(iter(found(visitor.table(), "Table")))
        head, row = ([*map("".join, map(texts, cells_of(tr)))] for tr in found(table["children"], "Tr"))
        page = visitor.page(f"/run/{RUN}")
    assert {heading.strip(" ▲▼"): text for heading, text in zip(head, row, strict=True)}.items() >= listed.items()
    assert listed["duration"] == seconds(77.0 if status == "completed" else 40.0)
    assert f" in {listed['duration']}: {listed['read']} records read, {listed['written']} written" in sentence
    assert f"({listed['pass']})" in sentence
    assert sentence.endswith(f"; {listed['throughput']}")
    shown = [texts(div["children"]) for div in found(page, "Div") if str(div.get("className")).startswith("tile")]
    tiles = {label: text for label, text, *_ in shown}
    for heading, tile in {"read": "read", "written": "kept"}.items():
        assert tiles[tile] == listed[heading]
    assert {heading: tiles[heading] for heading in ("duration", "throughput", "errors")}.items() <= listed.items()
    row_of_superset = asked(tmp_path, "runs", "run_id")[RUN]
    assert count(row_of_superset["Records read"]) == listed["read"]
    assert count(row_of_superset["Records written"]) == listed["written"]
    assert count(row_of_superset["Errors"]) == listed["errors"]
    assert percent(100 * row_of_superset["Pass rate"]) == listed["pass"]


def on_terminal_list(text: str) -> dict[str, str]:
    """Heading → text of the only run in a list, for the figures of a run."""
    lines = text.splitlines()
    at, head = next((at, line) for at, line in enumerate(lines) if "pipeline" in line and "read" in line)
    ends = {match[0]: match.end() for match in re.finditer(r"\S+(?: \S+)*", head)}
    headings, line = list(ends), lines[at + 2]
    return {
        heading: line[ends[before] : ends[heading]].strip().split("  ")[-1].strip()
        for before, heading in itertools.pairwise(headings)
        if heading in _RUN
    }


# ── a run that has just ended ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_summary_of_a_run_is_what_is_shown_of_it_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table that `mdf run` prints at its end is that of `mdf runs show`, and its JSON likewise."""
    (tmp_path / "in.jsonl").write_text(
        "".join(json.dumps({"text": "word " * (n % 9)}) + "\n" for n in range(300)), encoding="utf-8"
    )
    (tmp_path / "p.yaml").write_text(
        json.dumps(
            {
                "data_loader": {"type": "jsonl_loader", "params": {"path": str(tmp_path / "in.jsonl")}},
                "stages": [
                    {"name": "clean", "operators": [{"name": "text_length_filter", "params": {"min_length": 12}}]}
                ],
                "data_writer": {"type": "parquet_writer", "params": {"output_path": str(tmp_path / "out")}},
                "executor": {"batch_size": 25, "metrics": {"output_path": str(tmp_path / "metrics")}},
            }
        ),
        encoding="utf-8",
    )
    ended = told(capsys, monkeypatch, "run", "--config", tmp_path / "p.yaml")
    later = told(capsys, monkeypatch, "runs", "show", "latest", "--metrics", tmp_path / "metrics")
    table = on_terminal(later)
    assert table["text_length_filter"]["rejected"] not in ("0", NOTHING)
    assert on_terminal(ended) == table
    answer = json.loads(
        told(capsys, monkeypatch, "runs", "show", "latest", "--metrics", tmp_path / "metrics", "--json")
    )
    assert answer["books"]["text"] in ended
    assert answer["books"]["text"] in later
