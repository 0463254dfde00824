"""The report shows the scores of rules with their thresholds; what a slider says is what `mdf whatif` says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.whatif.answer import what_if
from mega_data_factory.analytics.whatif.rules import RuleScores
from mega_data_factory.framework.metrics import MetricsReader, MetricsWriter, RunMetrics
from mega_data_factory.reports.report import write_report
from mega_data_factory.reports.thresholds import shown_thresholds
from mega_data_factory.visualization.charts.scores import score_distribution
from tests.analytics.whatif.running import START, Operator, made_up_texts, run

FILTERS: dict[str, dict[str, Any]] = {
    "language_filter": {"languages": ["en"], "min_score": 0.3},
    "gopher_quality_filter": {"min_words": 12, "min_alphabetic_words": 0.7},
    "exact_deduplicator": {},
}


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Metrics of one run."""
    folder = tmp_path_factory.mktemp("metrics")
    run(folder, made_up_texts(600), [Operator(name, params) for name, params in FILTERS.items()])
    return folder


def test_a_slider_says_what_the_command_says(metrics: Path) -> None:
    """Every threshold of a slider has the numbers of an answer to it; today's is marked, and changes nothing."""
    shown = shown_thresholds(Recording.read(MetricsReader(metrics), "run_a"), most=100)
    by_title = {of.title: of for of in shown}
    rule = by_title["judge / gopher_quality_filter: min_alphabetic_words"]
    assert rule.values[rule.today] == 0.7
    assert "as in this run" in rule.sentences[rule.today]
    assert list(rule.values) == sorted(rule.values)
    for place in (1, len(rule.values) // 2, len(rule.values) - 2):
        key = "judge.gopher_quality_filter.min_alphabetic_words"
        answer = what_if(metrics, "run_a", [f"{key}={rule.values[place]!r}"])
        assert f" {answer.rules[0].failed.as_dict()['value']:,} " in rule.sentences[place].replace("(", "( ")
        assert f"{answer.operators[0].would_pass.as_dict()['value']:,}" in rule.sentences[place]
    alone = shown_thresholds(Recording.read(MetricsReader(metrics), "run_a"), ("judge", "language_filter"))
    assert [of.title for of in alone] == ["judge / language_filter: min_score"]


def test_the_chart_has_every_scored_record_once(metrics: Path) -> None:
    """Bars add up to the judged records, and none has records on both sides of the threshold."""
    for row in MetricsReader(metrics).rows("scores", "run_a"):
        rule = RuleScores.from_row(row)
        figure = score_distribution(rule)
        if not row["histogram"]:
            continue
        assert sum(sum(bar.y) for bar in figure.data) == row["judged_records"] - row["unscored_records"]
        assert figure.layout.shapes[0].x0 == row["threshold"]
        for bar in figure.data:
            for x, width, records in zip(bar.x, bar.width, bar.y, strict=True):
                ends = x - width / 2, x + width / 2
                inside = ends[0] + width * 1e-6 < row["threshold"] < ends[1] - width * 1e-6
                assert not (inside and records) or row["whole_numbers"]


def test_the_report_has_charts_and_sliders(metrics: Path, tmp_path: Path) -> None:
    """A section of its own, with the numbers in the page; a run without scores has no such section."""
    write_report(MetricsReader(metrics), "run_a", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<section id="thresholds">' in page
    store = json.loads(re.findall(r'id="figures">(.*?)</script>', page, flags=re.DOTALL)[0])
    assert store["thresholds"].keys() <= store["figures"].keys()
    for name, slider in store["thresholds"].items():
        assert f'data-threshold="{name}"' in page
        assert len(slider["values"]) == len(slider["sentences"]) > slider["today"]
    MetricsWriter(tmp_path).write_all(RunMetrics("run_b", START, START, status="completed"), [], [])
    write_report(MetricsReader(tmp_path), "run_b", tmp_path / "other.html")
    assert "Thresholds" not in (tmp_path / "other.html").read_text(encoding="utf-8")
