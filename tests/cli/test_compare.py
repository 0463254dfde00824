"""`mdf runs compare` on made runs: words, tables, JSON, and what is refused."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from mega_data_factory.analytics.comparison.baselines import read_baseline
from mega_data_factory.analytics.comparison.pass_rates import Tally, design_effect, difference
from mega_data_factory.analytics.comparison.speed import predicted, student
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.cli import main
from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.reports import write_report
from tests.made_runs import START, Op, Pool, made_config, make_run
from tests.present import present

SOURCE = {"data_loader": {"type": "jsonl_loader", "params": {"path": "in"}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with runs `run_0` … `run_4` of one pipeline; the last one rejects more."""
    for number in range(5):
        pools = [Pool("a", [Op("f_filter", 0.002, {"short": 0.1 if number < 4 else 0.15}), Op("x", 0.001)])]
        make_run(
            tmp_path,
            pools,
            f"run_{number}",
            seed=number,
            start=START + timedelta(hours=number),
            config=made_config(pools) | SOURCE,
            pipeline="web",
        )
    return tmp_path


def test_the_difference_and_what_it_is_made_of_are_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two named runs: how much less was kept, from which reason, in tables whose parts add up."""
    assert main(["runs", "compare", "run_0", "run_4", "--metrics", str(folder)]) == 0
    text = capsys.readouterr().out
    assert "Kept 5.0 points less: -5.0 from a / f_filter: short." in text
    assert "together" in text
    assert "exact" in text


def test_json_holds_every_level(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Run, stages, operators, reasons and parts, whose points add up to that of the run."""
    assert main(["runs", "compare", "--last", "3", "--metrics", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [run["run_id"] for run in found["baseline"]] == ["run_3", "run_2", "run_1"]
    assert sum(part["points"] for part in found["parts"]) == pytest.approx(found["kept"]["points"]) == pytest.approx(-5)
    assert found["kept"]["exact"]
    assert [operator["operator"] for operator in found["operators"]] == ["f_filter", "x"]
    (reason,) = found["operators"][0]["reasons"]
    assert reason["records"] == {"before": 3000, "after": 1500}
    cost = found["cost"]
    assert cost["low"] < cost["ratio"] < cost["high"]


def test_operators_that_a_run_has_not_come_to_are_not_gone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A failed run may lack rows of operators that its configuration has; a completed run lacks what is gone."""
    for number, (name, status) in enumerate((("run_failed", "failed"), ("run_done", "completed")), 5):
        pools = [Pool("a", [Op("f_filter", 0.002, {"short": 0.1})])]
        make_run(folder, pools, name, start=START + timedelta(hours=number), status=status, pipeline="web")
        for pair, word in (((name, "run_4"), "new"), (("run_4", name), "gone")):
            assert main(["runs", "compare", *pair, "--metrics", str(folder)]) == 0
            (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("a / x ")][:1]
            assert ("not counted" if status == "failed" else word) in row


def test_a_run_that_failed_at_once_is_not_judged(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a record, the speed of an operator is not counted, which is not the same as not clear."""
    pools = [Pool("a", [Op("f_filter", 0.002, {"short": 0.1}), Op("x", 0.001)])]
    make_run(folder, pools, "run_failed", records=0, start=START + timedelta(hours=5), status="failed", pipeline="web")
    assert main(["runs", "compare", "run_4", "run_failed", "--metrics", str(folder)]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("a / x ", "a / f_filter "))][:4]
    assert sum("not counted" in row for row in rows) == 2


def test_one_run_is_compared_with_the_one_before(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a run that is named alone, the baseline is the run of its pipeline before it."""
    assert main(["runs", "compare", "run_2", "--metrics", str(folder), "--json"]) == 0
    assert [run["run_id"] for run in json.loads(capsys.readouterr().out)["baseline"]] == ["run_1"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run_1", "run_2", "--last", "2"], 2, "--last is for one run"),
        (["run_1", "run_1"], 2, "compared with itself"),
        (["run_0"], 2, "no completed run of the pipeline web before run_0"),
        (["run_7"], 2, "there is no run run_7"),
    ],
)
def test_what_cannot_be_compared_is_one_error(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    """One message, the exit code of a wrong command, and nothing on stdout."""
    assert main(["runs", "compare", *arguments, "--metrics", str(folder)]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "Traceback" not in err


def test_the_report_compares_with_what_is_asked_for(folder: Path) -> None:
    """`--against` takes another run than the one before."""
    reader = MetricsReader(folder)
    write_report(reader, "run_4", folder / "r.html", against="run_0")
    page = (folder / "r.html").read_text()
    assert "Compared with run_0" in page
    assert "What the difference is made of" in page


def test_last_n_takes_completed_runs_of_the_pipeline_only(folder: Path) -> None:
    """A run that failed, and one of another pipeline, are not what a run is compared with."""
    make_run(
        folder,
        [Pool("a", [Op("f")])],
        "run_failed",
        start=START + timedelta(hours=3.5),
        status="failed",
        pipeline="web",
    )
    make_run(folder, [Pool("a", [Op("f")])], "run_other", start=START + timedelta(hours=3.6), pipeline="other")
    reader = MetricsReader(folder)
    found = read_baseline(reader, Recording.read(reader, "run_4"), "last:2")
    assert [recording.run_id for recording in found] == ["run_3", "run_2"]


# ── intervals ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_newcombes_published_example() -> None:
    """56 of 70 against 48 of 80: 0.0524 to 0.3339 (Newcombe 1998, table II, method 10)."""
    found = difference(Tally(80, 48), Tally(70, 56), exact=False)
    assert (present(found.low) / 100, present(found.high) / 100) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_records_that_come_in_clumps_count_as_fewer() -> None:
    """Intervals that keep all or nothing vary more than independent records: the interval is wider by that."""
    draw = np.random.default_rng(3)
    records = np.full(40, 100.0)
    independent = design_effect(records, draw.binomial(100, 0.5, 40).astype(np.float64))
    clumps = design_effect(records, (100 * draw.integers(0, 2, 40)).astype(np.float64))
    assert independent < 3
    assert clumps > 30
    wide, narrow = (difference(Tally(4000, 2000, e), Tally(4000, 2040), exact=False) for e in (clumps, 1.0))
    assert present(wide.low) < present(narrow.low)


def test_the_prediction_covers_another_run() -> None:
    """Of 400 eleventh runs after ten of the same spread, about 95 % lie within the interval that the ten give."""
    draw = np.random.default_rng(11)
    inside = 0
    for _ in range(400):
        values = np.exp(draw.normal(0, 0.1, 11))
        ratio = present(predicted(values[:10].tolist(), float(values[10])))
        inside += present(ratio.low) <= 1 <= present(ratio.high)
    assert 0.92 < inside / 400 < 0.98
    assert student(30) == pytest.approx(2.0423, abs=2e-3)
