"""`mdf runs gate` on made runs: what fails, what passes, what is not judged, and mistakes in the rules."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest

from mega_data_factory.cli import main
from mega_data_factory.framework.commit.column_measuring import measure_columns
from mega_data_factory.framework.metrics import MetricsWriter
from tests.made_runs import START, Op, Pool, made_config, make_run

SOURCE = {"data_loader": {"type": "jsonl_loader", "params": {"path": "in"}}}


_WRITTEN: dict[str, dict[Path, bytes]] = {}
"""Files of the runs that were written, by what they are of: most tests want the same two."""


def write_runs(folder: Path, before: Sequence[Pool], after: Sequence[Pool], seed: int = 0, **options: Any) -> None:
    """Write `run_before` and `run_after`, of 10,000 records of the same source, into an empty folder."""
    key = repr((before, after, seed, options))
    if key in _WRITTEN:
        for name, content in _WRITTEN[key].items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return
    for number, (word, pools) in enumerate((("before", before), ("after", after))):
        options_of = {"config": made_config(pools) | SOURCE, "pipeline": "web"} | options
        start = START + timedelta(hours=number)
        make_run(folder, pools, f"run_{word}", seed=2 * seed + number, start=start, balanced=True, **options_of)
    _WRITTEN[key] = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def pools(reject: float = 0.1, cost: float = 0.002, errors: float = 0.0) -> list[Pool]:
    return [Pool("a", [Op("f_filter", cost, {"short": reject}, errors=errors), Op("x", 0.001)])]


def judge(folder: Path, rules: str, *more: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any], str]:
    """Return exit code, JSON and stderr."""
    file = folder / "gate.yaml"
    file.write_text(rules)
    arguments = ["run_after", "--against", "run_before", "--rules", str(file), "--metrics", str(folder), "--json"]
    code = main(["runs", "gate", *arguments, *more])
    out, err = capsys.readouterr()
    return code, json.loads(out), err


ALL = """
rules:
  - rule: books
  - {rule: throughput, max_drop: 10 %}
  - {rule: operator_cost, max_rise: 10 %}
  - {rule: pass_rate, max_drop: 0.5 points, max_rise: 0.5 points, min: 50 %}
  - {rule: reject_share, max_rise: 1 point}
  - {rule: error_rate, max: 0.1 %}
"""


def test_equal_runs_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two runs that differ by noise alone meet every rule: exit code 0."""
    write_runs(tmp_path, pools(), pools())
    code, found, _ = judge(tmp_path, ALL, capsys=capsys)
    assert (code, found["passed"]) == (0, True)
    assert {check["rule"] for check in found["checks"]} >= {"status", "books", "pass_rate", "reject_share"}


@pytest.mark.parametrize("seed", range(3))
def test_one_point_of_ten_thousand_records_is_always_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    """9,000 of 10,000 records kept, then 8,900 of the same: a drop of 1 point is beyond 0.9, whatever the noise."""
    write_runs(tmp_path, pools(0.1), pools(0.11), seed, noise=0.3)
    rules = "rules:\n  - {rule: pass_rate, max_drop: 0.9 points}\n"
    code, found, _ = judge(tmp_path, rules, capsys=capsys)
    (_, check) = found["checks"]
    assert (code, check["status"]) == (1, "failed")
    assert check["after"] - check["before"] == pytest.approx(-1.0)
    assert "exact" in check["message"]


FAILING = [
    ("{rule: pass_rate, max_drop: 1 %}", pools(0.2), {}, "pass_rate", "run"),
    ("{rule: pass_rate, min: 95 %}", pools(), {}, "pass_rate", "run"),
    ("{rule: pass_rate, operator: f_*, max_drop: 1 point}", pools(0.2), {}, "pass_rate", "a / f_filter"),
    ("{rule: reject_share, reason: sh*, max_rise: 10 %}", pools(0.2), {}, "reject_share", "a / f_filter: short"),
    ("{rule: operator_cost, max_rise: 20 %}", pools(cost=0.004), {}, "operator_cost", "a / f_filter"),
    ("{rule: error_rate, max_rise: 0.5 points}", pools(errors=0.02), {"total_errors": 200}, "error_rate", "run"),
    ("{rule: operator_cost, operator: f_filtr, max_rise: 20 %}", pools(), {}, "operator_cost", "f_filtr"),
    ("{rule: throughput, min: 1e9}", pools(), {}, "throughput", "run"),
]


@pytest.mark.parametrize(("rule", "after", "run", "kind", "subject"), FAILING)
def test_what_is_beyond_its_bound_fails(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    rule: str,
    after: list[Pool],
    run: dict[str, Any],
    kind: str,
    subject: str,
) -> None:
    """Each kind of rule fails on what it is for, names it, and the command exits with 1."""
    write_runs(tmp_path, pools(), pools())
    make_run(
        tmp_path, after, "run_after", start=START + timedelta(hours=1), config=made_config(pools()) | SOURCE, **run
    )
    code, found, _ = judge(tmp_path, f"rules:\n  - {rule}\n", capsys=capsys)
    failed = [(check["rule"], check["subject"]) for check in found["checks"] if check["status"] == "failed"]
    assert (code, failed) == (1, [(kind, subject)])


def test_limits_hold_for_an_operator_that_the_baseline_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A new filter has shares of its own: limits judge them, and what it changed is not judged."""
    write_runs(tmp_path, [Pool("a", [Op("x", 0.001)])], pools(0.2))
    rules = """
rules:
  - {rule: reject_share, max: 5 %, max_rise: 1 point}
  - {rule: pass_rate, operator: f_filter, min: 90 %}
"""
    code, found, _ = judge(tmp_path, rules, capsys=capsys)
    assert code == 1
    checks = [(check["rule"], check["subject"], check["status"]) for check in found["checks"][1:]]
    assert checks == [
        ("reject_share", "a / f_filter: short", "failed"),
        ("reject_share", "a / f_filter: short", "not judged"),
        ("pass_rate", "a / f_filter", "failed"),
    ]


def test_a_run_that_did_not_complete_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever the rules are."""
    write_runs(tmp_path, pools(), pools(), status="failed")
    code, found, _ = judge(tmp_path, "rules:\n  - {rule: pass_rate, min: 1 %}\n", capsys=capsys)
    assert code == 1
    assert found["checks"][0]["message"] == "the run is failed"


def test_books_that_do_not_balance_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The number of records is in the reason."""
    write_runs(tmp_path, pools(), pools())
    make_run(tmp_path, pools(), "run_after", start=START, balanced=False, unbalanced_records=7)
    code, found, _ = judge(tmp_path, "rules:\n  - rule: books\n", capsys=capsys)
    assert (code, found["checks"][1]["message"]) == (1, "7 records are not accounted for")


def test_noise_is_not_a_failure_unless_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Runs of few different records: a drop within its interval passes, and fails where `certain` is false."""
    write_runs(tmp_path, pools(), pools())
    other = {"data_loader": {"type": "jsonl_loader", "params": {"path": "other"}}}
    start = START + timedelta(hours=1)
    make_run(tmp_path, pools(0.13), "run_after", records=200, start=start, config=made_config(pools()) | other)
    rule = "rules:\n  - {rule: pass_rate, max_drop: 0.5 points%s}\n"
    code, found, _ = judge(tmp_path, rule % "", capsys=capsys)
    assert (code, found["checks"][1]["message"][-12:]) == (0, "within noise")
    assert judge(tmp_path, rule % ", certain: false", capsys=capsys)[0] == 1


def test_throughput_is_not_judged_where_others_took_the_cpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run on a machine that other programs filled says nothing of the pipeline's speed, and the check says so."""
    write_runs(tmp_path, pools(), pools(cost=0.02), nodes=(99.0,), own=40.0, cores=2.0)
    code, found, _ = judge(tmp_path, "rules:\n  - {rule: throughput, max_drop: 10 %}\n", capsys=capsys)
    assert (code, found["checks"][1]["status"]) == (0, "not judged")


MISTAKES = """
rules:
  - rule: bookz
  - rule: throughput
    max_drop: 10
  - rule: cpu
    max_rise: 5 points
  - rule: pass_rate
  - rule: pass_rate
    min_drop: 4 %
    min: 1 %
  - rule: books
    max: 3
  - rule: pass_rate
    min: 110 %
  - rule: pass_rate
    min: 0.6
"""


def test_all_mistakes_of_the_rules_are_one_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with file and line and what would be right; the exit code is that of a wrong command."""
    write_runs(tmp_path, pools(), pools())
    code, found, err = judge(tmp_path, MISTAKES, capsys=capsys)
    assert code == 2
    lines = found["error"]["message"].splitlines()
    assert [line.split("gate.yaml:")[1].split(":")[0] for line in lines] == ["3", "5", "6", "8", "10", "12", "14", "16"]
    assert "did you mean `max_drop`?" in err
    assert "not in points" in err
    assert "write 0.6 %, with its unit" in err


@pytest.mark.parametrize("text", ["rules: []\n", "- rule: books\n", "rules: [\n", ""])
def test_a_file_without_rules_is_one_error(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    """Nothing is judged, and nothing passes."""
    write_runs(tmp_path, pools(), pools())
    code, found, _ = judge(tmp_path, text, capsys=capsys)
    assert code == 2
    assert "error" in found


def test_junit_and_markdown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both hold every check; what failed is a failure of a test case, and the first row."""
    write_runs(tmp_path, pools(), [Pool("a", [Op("f_filter", 0.002, {"sh\x01<o|rt>": 0.2}), Op("x", 0.001)])])
    xml, text = tmp_path / "junit.xml", tmp_path / "gate.md"
    code, found, _ = judge(tmp_path, ALL, "--junit", str(xml), "--markdown", str(text), capsys=capsys)
    (suite,) = ElementTree.parse(xml).getroot()
    failed = [check for check in found["checks"] if check["status"] == "failed"]
    assert code == 1
    assert (suite.get("tests"), suite.get("failures")) == (str(len(found["checks"])), str(len(failed)))
    names = [(case.get("classname"), case.get("name")) for case in suite]
    assert len(set(names)) == len(names), "readers keep one of the cases that have the same name"
    assert [case.find("failure") is not None for case in suite] == [c["status"] == "failed" for c in found["checks"]]
    rows = [line for line in text.read_text().splitlines() if line.startswith("| ")]
    assert len(rows) == len(found["checks"]) + 1
    assert "failed" in rows[1]
    assert "\\<o\\|rt\\>" in text.read_text()


def test_the_newest_run_against_those_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`latest` against `last:3` takes the spread of the three: a fourth like them passes."""
    for number in range(5):
        start = START + timedelta(hours=number)
        make_run(tmp_path, pools(), f"run_{number}", seed=number, start=start, pipeline="web", balanced=True)
    rules = tmp_path / "gate.yaml"
    rules.write_text(ALL)
    arguments = ["--against", "last:3", "--rules", str(rules), "--metrics", str(tmp_path)]
    assert main(["runs", "gate", *arguments]) == 0
    assert "run_4 passed the gate against the last 3 runs" in capsys.readouterr().out


def write_columns(folder: Path, run_id: str, seed: int, shift: float = 0.0, nulls: float = 0.02) -> None:
    """Write the columns of the output of a run that was made."""
    random = np.random.default_rng(seed)
    table = pa.table(
        {
            "score": random.normal(shift, 1, 4_000),
            "language": pa.array(["en"] * 4_000, mask=random.uniform(size=4_000) < nulls),
        }
    )
    rows = [row for column in measure_columns(table) for row in column.rows(run_id, START)]
    MetricsWriter(folder).write_details("columns", rows, run_id)


@pytest.mark.parametrize(
    ("rule", "of_after", "failed"),
    [
        ("{rule: drift}", {}, []),
        ("{rule: drift}", {"shift": 0.2}, []),
        ("{rule: drift, level: moderate}", {"shift": 0.2}, ["score"]),
        ("{rule: drift}", {"shift": 1.0}, ["score"]),
        ("{rule: drift, column: lang*}", {"shift": 1.0}, []),
        ("{rule: drift, column: scores}", {}, ["scores"]),
        ("{rule: null_share, max_rise: 1 point}", {}, []),
        ("{rule: null_share, max_rise: 1 point}", {"nulls": 0.06}, ["language"]),
        ("{rule: null_share, max_rise: 1 point, column: score}", {"nulls": 0.06}, []),
        ("{rule: null_share, max: 1 %}", {}, ["language"]),
    ],
)
def test_columns_of_the_output_are_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rule: str, of_after: dict[str, float], failed: list[str]
) -> None:
    """Drift and null shares fail where a column differs, and nowhere else; a name of no column is a failure."""
    write_runs(tmp_path, pools(), pools())
    write_columns(tmp_path, "run_before", 1)
    write_columns(tmp_path, "run_after", 2, **of_after)
    code, found, _ = judge(tmp_path, f"rules:\n  - {rule}\n", capsys=capsys)
    assert [check["subject"] for check in found["checks"] if check["status"] == "failed"] == failed
    assert code == bool(failed)


def test_columns_that_were_not_measured_are_not_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without statistics neither rule is met or broken, and that is said."""
    write_runs(tmp_path, pools(), pools())
    rules = "rules:\n  - {rule: drift}\n  - {rule: null_share, max: 1 %}\n"
    code, found, _ = judge(tmp_path, rules, capsys=capsys)
    assert [check["status"] for check in found["checks"]] == ["passed", "not judged", "not judged"]
    write_columns(tmp_path, "run_after", 2)
    code, found, _ = judge(tmp_path, rules.replace("max:", "max_rise:").replace("1 %", "1 point"), capsys=capsys)
    assert {check["status"] for check in found["checks"][1:]} == {"not judged"}
    assert code == 0
