"""`mdf runs` and `mdf metrics`, run as a user runs them over real metrics folders."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mega_data_factory.cli import main
from mega_data_factory.cli.ages import parse_age, parse_since
from mega_data_factory.cli.commands.metrics import sql as query
from mega_data_factory.cli.commands.runs import list_and_show as runs
from mega_data_factory.cli.failures import UsageError
from mega_data_factory.clock import utc_now
from mega_data_factory.framework.metrics import MetricsWriter, OperatorMetrics, RunMetrics, StageMetrics
from mega_data_factory.framework.metrics.schema import SCHEMA_VERSION, TABLES
from mega_data_factory.testing import finished_run

OLD = datetime(2026, 1, 1)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder with five runs: one of each status, the newest completed, each a day after the one before."""
    monkeypatch.delenv("MDF_METRICS", raising=False)
    monkeypatch.chdir(tmp_path)
    writer = MetricsWriter("metrics")
    for day, (status, pipeline) in enumerate(
        [("failed", "news"), ("interrupted", "news"), ("aborted", "web"), ("running", "web")]
    ):
        start = OLD + timedelta(days=day)
        alive = start + timedelta(minutes=2) if status == "aborted" else utc_now()
        writer.write_run_metrics(
            RunMetrics(
                run_id=f"run_2026010{day + 1}_000000_{status}",
                start_time=start,
                end_time=start + timedelta(minutes=1) if status in ("failed", "interrupted") else None,
                status="running" if status == "aborted" else status,
                heartbeat=alive,
                flush_interval=600.0,
                pipeline=pipeline,
                committed_records=7,
                error="OperatorError: seven" if status == "failed" else None,
            )
        )
    finished_run("metrics", "run_20260105_000000_done")
    return "metrics"


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """The JSON that a command prints."""
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """The last word of the ids of the runs that `mdf runs list` gives."""
    return [row["run_id"].rpartition("_")[2] for row in answer(capsys, "runs", "list", *arguments)["runs"]]


def test_runs_are_listed_newest_first(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The table and the JSON have every run, the newest first, with the status that its heartbeat tells."""
    assert main(["runs", "list"]) == 0
    *lines, reason = capsys.readouterr().out.splitlines()[2:]
    assert reason == "run_20260101_000000_failed: OperatorError: seven"
    assert [line.split()[0].rpartition("_")[2] for line in lines] == [
        "done",
        "running",
        "aborted",
        "interrupted",
        "failed",
    ]
    told = answer(capsys, "runs", "list")
    assert (told["metrics"], told["total"], told["matching"]) == ("./metrics", 5, 5)
    statuses = {row["run_id"].rpartition("_")[2]: row["status"] for row in told["runs"]}
    assert statuses == {name: name for name in statuses} | {"done": "completed"}
    assert set(told["runs"][0]) == set(TABLES["runs"].names) - {"config"}


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (["--status", "failed"], ["failed"]),
        (["--status", "failed", "--status", "aborted"], ["aborted", "failed"]),
        (["--pipeline", "web"], ["running", "aborted"]),
        (["--pipeline", "ne*"], ["interrupted", "failed"]),
        (["--since", "2026-01-03"], ["done", "running", "aborted"]),
        (["--since", "2026-01-03T00:00:01"], ["done", "running"]),
        (["--since", "1h"], ["done"]),
        (["--limit", "2"], ["done", "running"]),
        (["--limit", "0", "--status", "completed"], ["done"]),
        (["--pipeline", "nothing"], []),
    ],
)
def test_filters(store: str, filters: list[str], names: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Each filter lets through what it says, in the order newest first."""
    assert listed(capsys, *filters) == names


def test_the_newest_runs_are_said_to_be_some_of_all(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A list that is cut says so, and one that nothing matches says how many runs there are."""
    main(["runs", "list", "--limit", "2"])
    assert "the newest 2 of 5 runs" in capsys.readouterr().out
    assert main(["runs", "list", "--pipeline", "x"]) == 0
    assert capsys.readouterr().out == "no matching run (5 in ./metrics)\n"


def test_the_folder_may_come_from_the_environment(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """MDF_METRICS says where the metrics are, and --metrics counts before it."""
    finished_run(tmp_path / "other", "run_x_other")
    monkeypatch.setenv("MDF_METRICS", str(tmp_path / "other"))
    assert listed(capsys) == ["other"]
    assert len(listed(capsys, "--metrics", store)) == 5


def test_show_has_three_levels(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A run is shown with the table of stages and operators, its summary, and where its metrics are."""
    assert main(["runs", "show", "run_20260105"]) == 0
    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split() for line in out.splitlines() if line.startswith(("clean", "  "))}
    assert rows["text_length_filter"][1:4] == ["200", "180", "20"]
    assert rows["exact_deduplicator"][1:4] == ["180", "162", "18"]
    assert "run_20260105_000000_done completed in" in out
    told = answer(capsys, "runs", "show", "latest")
    assert set(told) == {"run", "stages", "books", "paths", "findings"}
    assert told["run"]["run_id"] == "run_20260105_000000_done"
    (stage,) = told["stages"]
    assert (stage["num_workers"], stage["input_records"], stage["output_records"]) == (2, 200, 162)
    assert [row["operator_name"] for row in stage["operators"]] == ["text_length_filter", "exact_deduplicator"]
    assert stage["operators"][0]["p99_latency"] == pytest.approx(0.005, rel=0.006)


def test_show_says_where_everything_of_a_run_lies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Paths are those that the run itself printed, from its configuration; operators without work are not slowest."""
    config = {
        "data_writer": {"params": {"output_path": "./out"}},
        "executor": {"rejected_samples": {"enabled": True}, "dead_letter_path": "./dead"},
    }
    run = RunMetrics(
        run_id="run_a", config=config, output_files=1, total_errors=2, rejected_records=3, dead_lettered_records=1
    )
    idle = OperatorMetrics(run_id="run_a", stage_name="clean", operator_name="idle", worker_id="w")
    MetricsWriter(tmp_path).write_all(run, [StageMetrics.from_operators([idle], "clean", "run_a")], [idle])
    assert answer(capsys, "runs", "show", "--metrics", str(tmp_path))["paths"] == {
        "output": "./out",
        "metrics": str(tmp_path),
        "rejected_samples": "rejected/run_a.jsonl",
        "errors": "out/_errors",
        "dead_letters": "./dead",
    }
    main(["runs", "show", "--metrics", str(tmp_path)])
    assert "slowest" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("run", "text"),
    [
        ("run_20260101", "the run failed after 7 records were committed"),
        ("run_20260103", "the run was killed after 7 records were committed"),
        ("run_20260104", "the run is in progress; so far 7 records were committed"),
    ],
)
def test_show_says_what_became_of_a_run(store: str, run: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that did not come to its end has open books, and the reason in words."""
    assert main(["runs", "show", run]) == 0
    out = capsys.readouterr().out
    assert text in out
    assert ("what ended it: OperatorError: seven" in out) == ("failed" in text)


def test_a_run_that_is_not_clear_is_an_error(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No such run names the nearest, an ambiguous beginning names candidates; both exit 2."""
    assert main(["runs", "show", "run_20260105_000000_dome"]) == 2
    assert "did you mean `run_20260105_000000_done`?" in capsys.readouterr().err
    assert main(["runs", "show", "run_2026"]) == 2
    err = capsys.readouterr().err
    assert "5 runs begin with run_2026" in err
    assert "run_20260101_000000_failed" in err


@pytest.mark.parametrize(
    "command",
    [
        ["runs", "list"],
        ["runs", "show"],
        ["metrics", "sql", "SELECT 1"],
        ["metrics", "compact"],
        ["metrics", "prune", "--max-runs", "1"],
    ],
    ids=" ".join,
)
def test_no_metrics_say_what_to_do(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there is no metrics folder, every command says how to get or to name one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MDF_METRICS", raising=False)
    assert main(command) == 2
    err = capsys.readouterr().err
    assert "error[metrics-query]: there is no metrics folder ./metrics" in err
    assert "mdf run --config" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command", [["runs", "list"], ["runs", "compare", "a", "b"], ["export", "openlineage"]], ids=" ".join
)
def test_a_file_is_no_metrics_folder(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The one error says so, and is one of the command line."""
    (tmp_path / "in.jsonl").write_text("{}\n")
    more = ["--file", str(tmp_path / "events.jsonl")] if "export" in command else []
    assert main([*command, *more, "--metrics", str(tmp_path / "in.jsonl")]) == 2
    err = capsys.readouterr().err
    assert err.count("error[") == 1
    assert "in.jsonl is a file, not a metrics folder" in err


def test_an_empty_folder_is_not_an_error_of_a_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder without runs lists none and says how to get some; asked for one of them, that is an error."""
    monkeypatch.setenv("MDF_METRICS", str(tmp_path))
    assert answer(capsys, "runs", "list")["runs"] == []
    assert main(["runs", "list"]) == 0
    assert "mdf run --config" in capsys.readouterr().out
    assert main(["runs", "show"]) == 2
    assert "mdf run --config" in capsys.readouterr().err


def test_sql_answers_as_table_json_and_csv(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One query has the same answer as a table, as JSON with plain values, and as CSV."""
    columns = "operator_name AS name, sum(input_records)::BIGINT AS n, max(timestamp) AS t"
    text = f"SELECT {columns} FROM operators GROUP BY 1 ORDER BY n"
    told = answer(capsys, "metrics", "sql", text)
    assert [column["name"] for column in told["columns"]] == ["name", "n", "t"]
    assert [(row["name"], row["n"]) for row in told["rows"]] == [
        ("exact_deduplicator", 180),
        ("text_length_filter", 200),
    ]
    assert datetime.fromisoformat(told["rows"][0]["t"])
    assert main(["metrics", "sql", text, "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [{**row, "n": int(row["n"])} for row in rows] == told["rows"]
    assert main(["metrics", "sql", text]) == 0
    out = capsys.readouterr().out
    assert "exact_deduplicator   180" in out
    assert out.endswith("2 rows\n")


def test_sql_values_that_json_has_not(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """NaN is null, a histogram a list of objects, and the second column of a name gets a number."""
    told = answer(capsys, "metrics", "sql", "SELECT 1 AS a, 'nan'::DOUBLE AS a, latency_histogram AS h FROM operators")
    first = told["rows"][0]
    assert (first["a"], first["a_2"]) == (1, None)
    assert first["h"][0].keys() == {"bucket", "count"}


def test_sql_that_is_wrong_is_an_error(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What DuckDB refuses is one error of ours; two formats at once are a usage error."""
    assert main(["metrics", "sql", "SELECT nothing FROM operators"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error[metrics-query]: ")
    assert '"nothing"' in err
    assert main(["metrics", "sql", "SELECT 1", "--json", "--csv"]) == 2


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("DROP VIEW operators", "this is DROP"),
        ("DELETE FROM runs", "this is DELETE"),
        ("INSERT INTO runs SELECT * FROM runs", "this is INSERT"),
        ("CREATE TABLE t AS FROM runs", "this is CREATE"),
        ("SET threads = 1", "this is SET"),
        ("SELECT 1; DROP VIEW runs", "there are 2"),
        ("/* nothing */", "there are 0"),
    ],
)
def test_sql_only_reads(store: str, query: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What would change something, or is not one query, is refused by name, with the exit code 2."""
    assert main(["metrics", "sql", query]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    "query",
    [
        "FROM runs",
        "WITH r AS (FROM runs) FROM r",
        "SHOW TABLES",
        "DESCRIBE stages",
        "SUMMARIZE runs",
        "EXPLAIN FROM runs",
        "PIVOT operators ON operator_name USING sum(input_records) GROUP BY worker_id",
        "VALUES (1)",
    ],
)
def test_every_way_to_read_is_answered(store: str, query: str, capsys: pytest.CaptureFixture[str]) -> None:
    """DuckDB's other words for queries work as SELECT does."""
    assert answer(capsys, "metrics", "sql", query)["rows"]


def test_the_help_of_sql_names_the_percentiles(capsys: pytest.CaptureFixture[str]) -> None:
    """Who looks for percentiles finds the macro, with an example that works as it stands."""
    assert main(["metrics", "sql", "--help"]) == 0
    assert "FROM latency_percentiles('operators', operator_name)" in " ".join(capsys.readouterr().out.split())


def test_a_wide_or_long_answer_fits_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    """What is too wide is printed row by row, what is too long is cut, and the last line says so."""
    import pyarrow as pa
    from rich.console import Console

    console = Console(file=io.StringIO(), width=40)
    query.print_answer(pa.table({"a" * 30: [1.5], "b" * 30: ["x" * 50]}), console)
    query.print_answer(pa.table({"n": list(range(query.MOST_ROWS + 1))}), console)
    assert isinstance(console.file, io.StringIO)
    out = console.file.getvalue()
    assert "── row 1 ──" in out
    assert max(map(len, out.splitlines())) <= 40
    assert f"the first {query.MOST_ROWS} of 501 rows" in " ".join(out.split())


def test_schema_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Every column of every table is told with type and meaning; one table alone on request; a wrong one is refused."""
    told = answer(capsys, "metrics", "schema")
    assert told["version"] == SCHEMA_VERSION
    assert {name: [column["name"] for column in columns] for name, columns in told["tables"].items()} == {
        name: table.names for name, table in TABLES.items()
    }
    assert all(column["comment"] and column["type"] for columns in told["tables"].values() for column in columns)
    assert main(["metrics", "schema", "stages"]) == 0
    out = capsys.readouterr().out
    assert "num_workers" in out
    assert "p99_latency" not in out
    assert main(["metrics", "schema", "stage"]) == 2
    assert "did you mean `stages`?" in capsys.readouterr().err


def test_compact_changes_nothing_that_is_read(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Runs that are over are folded, at first only in words, and every answer stays as it was."""
    before = answer(capsys, "runs", "list"), answer(capsys, "runs", "show", "run_20260105")
    told = answer(capsys, "metrics", "compact", "--min-age", "0s", "--dry-run")
    assert (told["runs"], told["units"], told["files_removed"], told["dry_run"]) == (4, 1, 0, True)
    assert not Path("metrics/compacted").exists()
    assert main(["metrics", "compact", "--min-age", "0s"]) == 0
    assert capsys.readouterr().out == "folded the files of 4 runs into 1 larger file per table; 6 files removed\n"
    names = sorted(path.stem for path in Path("metrics/runs").iterdir())
    assert names[0].startswith("compacted_run_20260101_000000_failed_run_20260105_000000_done_")
    assert names[1:] == ["run_20260104_000000_running"]
    assert (answer(capsys, "runs", "list"), answer(capsys, "runs", "show", "run_20260105")) == before
    assert main(["metrics", "compact"]) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_prune_says_first_and_then_does(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run names what would go and leaves it; then exactly that goes, never a running run."""
    told = answer(capsys, "metrics", "prune", "--max-runs", "1", "--dry-run")
    assert [run.rpartition("_")[2] for run in told["runs"]] == ["aborted", "interrupted", "failed"]
    assert told["kept"] == 2
    assert told["bytes"] > 0
    assert len(listed(capsys)) == 5
    assert main(["metrics", "prune", "--max-runs", "1"]) == 0
    out = capsys.readouterr().out
    assert "  run_20260103_000000_aborted\n" in out
    assert "removed 3 runs" in out
    assert listed(capsys) == ["done", "running"]


def test_prune_by_age_and_size(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Ages and sizes are given as people write them; runs that were heard of lately stay."""
    told = answer(capsys, "metrics", "prune", "--max-age", "1d", "--dry-run")
    assert [run.rpartition("_")[2] for run in told["runs"]] == ["aborted"]
    assert answer(capsys, "metrics", "prune", "--max-bytes", "1GB", "--dry-run")["runs"] == []
    assert len(answer(capsys, "metrics", "prune", "--max-bytes", "1", "--dry-run")["runs"]) == 4


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "no limit was given"),
        (["--max-age", "old"], "--max-age old: not an age"),
        (["--max-bytes", "much"], "--max-bytes: 'much' is not a size"),
        (["--max-runs", "-1"], "--max-runs"),
    ],
)
def test_prune_needs_a_limit_that_is_one(
    store: str, arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a limit, or with one that cannot be understood, nothing goes and the exit code is 2."""
    assert main(["metrics", "prune", *arguments]) == 2
    assert text in capsys.readouterr().err


def test_prune_takes_the_limits_of_a_pipeline(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--config` gives limits and folder; an option that is given as well counts in place of what the file says."""
    pipeline = {
        "data_loader": {"type": "text_loader", "params": {"path": "in.txt"}},
        "stages": [{"name": "s", "operators": [{"name": "text_length_filter"}]}],
        "data_writer": {"type": "parquet_writer", "params": {"output_path": "out"}},
        "executor": {"metrics": {"output_path": "elsewhere", "retention": {"max_runs": 2}}},
    }
    Path("pipeline.yaml").write_text(json.dumps(pipeline))
    finished_run("elsewhere", "run_a")
    monkeypatch.setenv("MDF_METRICS", "nowhere")
    told = answer(capsys, "metrics", "prune", "--config", "pipeline.yaml", "--dry-run")
    assert (told["metrics"], told["runs"], told["kept"]) == ("elsewhere", [], 1)
    told = answer(capsys, "metrics", "prune", "-c", "pipeline.yaml", "--metrics", store, "--dry-run")
    assert (told["metrics"], len(told["runs"]), told["kept"]) == (store, 3, 2)
    told = answer(capsys, "metrics", "prune", "-c", "pipeline.yaml", "--metrics", store, "--max-runs", "4", "--dry-run")
    assert (len(told["runs"]), told["kept"]) == (1, 4)
    del pipeline["executor"]["metrics"]["retention"]  # type: ignore[index]
    Path("pipeline.yaml").write_text(json.dumps(pipeline))
    assert main(["metrics", "prune", "--config", "pipeline.yaml"]) == 2
    assert "pipeline.yaml sets no executor.metrics.retention" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["yesterday", "7", "7y", "2026-13-01", ""])
def test_what_is_no_time_is_refused(text: str) -> None:
    """Neither an age nor a time is a usage error."""
    with pytest.raises(UsageError, match="neither"):
        parse_since(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", datetime(2026, 5, 1, 11, 58, 30)),
        ("1.5h", datetime(2026, 5, 1, 10, 30)),
        ("2w", datetime(2026, 4, 17, 12)),
        ("999999999w", datetime.min),
        ("2026-01-02", datetime(2026, 1, 2)),
        ("2026-01-02T03:00+02:00", datetime(2026, 1, 2, 1)),
    ],
)
def test_times(text: str, moment: datetime) -> None:
    """Ages count back from now, times are taken to UTC."""
    assert parse_since(text, now=datetime(2026, 5, 1, 12)) == moment


def test_ages() -> None:
    """An age is a number and a unit."""
    assert parse_age("--min-age", "1.5d") == timedelta(hours=36)
    with pytest.raises(UsageError, match="--min-age never: not an age"):
        parse_age("--min-age", "never")


def test_an_unknown_status_is_refused(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A status that no run can have names the nearest one."""
    assert main(["runs", "list", "--status", "complete"]) == 2
    assert "did you mean `completed`?" in capsys.readouterr().err
    assert set(runs.STATUSES) == {"completed", "failed", "interrupted", "running", "aborted"}


def test_times_beyond_python_are_shown_as_text(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What DuckDB knows and Python does not (infinity, years beyond 9999) is text in table, CSV and JSON."""
    query = "SELECT 'infinity'::TIMESTAMP, '-infinity'::DATE, TIMESTAMP '20000-01-01', DATE '12000-01-01'"
    for option in ((), ("--csv",), ("--json",)):
        assert main(["metrics", "sql", "--metrics", store, query, *option]) == 0
        shown = capsys.readouterr().out
        for text in ("infinity", "-infinity", "20000-01-01T00:00:00", "12000-01-01"):
            assert text in shown
