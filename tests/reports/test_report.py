"""The report of a run: whole for runs of every kind, escaped, bounded, offline."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from mega_data_factory import Executor
from mega_data_factory.cli import main
from mega_data_factory.cli.commands.views.report import report_beside
from mega_data_factory.errors import MetricsError, OutputError
from mega_data_factory.framework.metrics import MetricsCollector, MetricsReader, MetricsWriter, RunMetrics
from mega_data_factory.reports import excluded, write_report
from mega_data_factory.reports.figures import two_looks
from mega_data_factory.reports.operator_table import operator_table
from mega_data_factory.testing import finished_run
from mega_data_factory.visualization.charts.labels import distinct, safe
from mega_data_factory.visualization.charts.workers import utilisation
from mega_data_factory.visualization.page import script_json
from tests.dashboard.visiting import Visitor, texts
from tests.made_runs import START, Op, Pool, make_run, recorded
from tests.present import present

XSS = "<img src=x onerror=alert(1)></script><script>alert(2)</script>&\"'`{{7*7}}"
PLAIN = [Pool("clean", [Op("x_refiner", 0.005), Op("f_filter", 0.001, {"too short": 0.1})]), Pool("judge", [Op("y")])]


def written(path: Path, run: str = "latest", **options: Any) -> str:
    """The page of a run."""
    write_report(MetricsReader(path), run, path / "report.html", **options)
    return (path / "report.html").read_text(encoding="utf-8")


def figures(page: str) -> dict[str, Any]:
    """The figures in a page, by name."""
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page, flags=re.DOTALL)
    given: dict[str, Any] = json.loads(present(found)[1])["figures"]
    return given


class Texts(HTMLParser):
    """What a browser would show, and which elements there are."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.shown = ""
        self.tags: list[str] = []
        self.links: list[str] = []
        self._skip = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._skip = tag in ("script", "style")
        self.links += [str(value) for name, value in attrs if name in ("src", "href", "action", "onerror", "onload")]

    def handle_endtag(self, tag: str) -> None:
        self._skip = False

    def handle_data(self, data: str) -> None:
        if not self._skip:
            self.shown += data


# ── runs of every kind ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "The books balance"),
        ({"status": "running", "end_time": None, "heartbeat": START + timedelta(seconds=50)}, "killed before its end"),
        ({"status": "failed", "error": "the disk is full"}, "the disk is full"),
        ({"status": "interrupted"}, "interrupted"),
        ({"records": 0}, "No record was read"),
        ({"records": 3, "intervals": 1, "duration": 0.001}, "Where the records went"),
        ({"samples": False}, "no samples over time"),
        ({"config": {}}, "The configuration was not stored"),
        ({"pipeline": "Кириллица 漢字 🦜"}, "Кириллица 漢字 🦜"),
        ({"nodes": [50.0, 99.0]}, "Bottom: busy workers"),
        ({"start_time": START, "end_time": None, "duration": 0.0, "status": "running"}, "The run is in progress"),
    ],
    ids=[
        "plain",
        "killed",
        "failed",
        "interrupted",
        "empty",
        "tiny",
        "no-samples",
        "no-config",
        "letters",
        "nodes",
        "on",
    ],
)
def test_runs_of_every_kind_have_a_report(tmp_path: Path, options: Mapping[str, Any], says: str) -> None:
    """However a run went and whatever is known of it, there is a page and it says what matters."""
    make_run(tmp_path, PLAIN, **options)
    assert says in Texts(written(tmp_path)).shown


def test_a_run_that_failed_before_its_first_batch_has_a_report(tmp_path: Path) -> None:
    """A run with a row and nothing else says what ended it, and draws nothing."""
    run = RunMetrics(run_id="run_early", status="failed", error="no such folder", start_time=START)
    MetricsWriter(tmp_path).write_all(run, [], [])
    page = written(tmp_path)
    assert "no such folder" in page
    assert figures(page) == {}
    assert len(page) < 100_000


def test_the_finished_run_of_the_test_tools_has_a_report(tmp_path: Path) -> None:
    """A run without configuration, samples and pipeline is reported with what there is."""
    finished_run(tmp_path)
    assert "text_length_filter" in written(tmp_path)


def test_created_records_have_a_column_where_there_are_some(tmp_path: Path) -> None:
    """Of stages and operators, behind what came in; a run that creates none has no such column."""
    columns, rows = operator_table(recorded(tmp_path / "a", [Pool("a", [Op("chunk", created=2.0), Op("g")])]).stages)
    assert columns[:3] == ["in", "created", "out"]
    assert [list(row.cells[:3]) for row in rows] == [
        ["10,000", "20,000", "30,000"],
        ["10,000", "20,000", "30,000"],
        ["30,000", "0", "30,000"],
    ]
    columns, _ = operator_table(recorded(tmp_path / "b", [Pool("a", [Op("g")])]).stages)
    assert "created" not in columns


@pytest.mark.parametrize("options", [{"nodes": [50.0, 99.0]}, {"samples": False}], ids=["nodes", "no-samples"])
def test_findings_link_to_sections_that_are_there(tmp_path: Path, options: Mapping[str, Any]) -> None:
    """A finding leads to the section that it rests on, on pages that have it."""
    pools = [Pool("a", [Op("x", 0.01, errors=0.05)], slow=4.0), Pool("b", [Op("y", 0.001)])]
    make_run(tmp_path, pools, "run_0", start=START - timedelta(days=1))
    make_run(tmp_path, pools, **options)
    page = written(tmp_path)
    assert '<p class="see"><a href="#errors">See errors</a></p>' in page
    links = {link[1:] for link in Texts(page).links if link.startswith("#")}
    assert links <= set(re.findall(r'id="([^"]+)"', page))


def test_stages_without_operators_are_shown(tmp_path: Path) -> None:
    """A script that times its stages sees them in the report and in the dashboard, and is not told to read records."""
    now = iter(range(100))
    collector = MetricsCollector("run_script", clock=lambda: float(next(now)))
    with collector.track_run():
        for name in ("download", "train"):
            with collector.track_stage(name):
                pass
    MetricsWriter(tmp_path).write_all(collector.get_run_metrics(), collector.get_stage_metrics(), [])
    page = Texts(written(tmp_path)).shown
    assert "Stages without operators" in page
    assert "download" in page
    assert "No operator has reported yet" not in page
    assert "No record was read" not in page
    with Visitor(tmp_path) as visitor:
        shown = texts(visitor.page("/run/run_script")["content"]["children"])
    assert {"Stages without operators", "download", "train"} <= set(shown)


def test_a_large_run_stays_a_mail_attachment(tmp_path: Path) -> None:
    """8 stages of 12 operators and 400 intervals with long names: below 6 MB, and lines of at most 600 points."""
    pools = [
        Pool(
            f"s{n}" + "ü" * 80, [Op(f"operator_{n}_{m}_" + "x" * 200, 0.001, {"r": 0.01}) for m in range(12)], workers=1
        )
        for n in range(8)
    ]
    make_run(tmp_path, pools, records=20_000, intervals=400)
    page = written(tmp_path)
    assert len(page.encode()) < 6_000_000
    assert {"funnel", "sankey", "stages", "latency"} <= figures(page).keys()
    assert len(figures(page)["sankey"]["data"][0]["node"]["label"]) < 80


def test_earlier_runs_are_compared(tmp_path: Path) -> None:
    """The run before is compared with, operator by operator, and what was changed in the configuration is shown."""
    make_run(tmp_path, PLAIN, "run_before", start=START - timedelta(days=1))
    changed = [Pool("clean", PLAIN[0].operators, workers=3), PLAIN[1]]
    make_run(tmp_path, changed, "run_now")
    page = written(tmp_path)
    assert {"trends", "comparison"} <= figures(page).keys()
    assert "stages[clean].worker.num_replicas" in page
    assert "run_before" in Texts(page).shown


# ── nothing in it runs, and nothing is fetched ────────────────────────────────────────────────────────────────────────


def test_what_users_wrote_stays_text(tmp_path: Path) -> None:
    """Markup in names, reasons, errors and configurations is shown, and never an element, an attribute or a script."""
    pools = [Pool(XSS, [Op(XSS + "1", 0.01, {XSS: 0.2}), Op(XSS + "2", 0.01)])]
    config = {"name": XSS, XSS: XSS, "stages": [{"name": XSS, "operators": []}]}
    make_run(tmp_path, pools, status="failed", error=XSS, config=config, pipeline=XSS, hostname=XSS, nodes=[50.0])
    page = written(tmp_path)
    seen = Texts(page)
    assert "img" not in seen.tags
    assert seen.tags.count("script") == 3
    assert all(link.startswith("#") for link in seen.links)
    assert XSS in seen.shown
    drawn = json.dumps(figures(page))
    assert "<img" not in drawn
    assert "<script" not in drawn


def test_nothing_is_fetched(tmp_path: Path) -> None:
    """The page has no address of anything, and its policy forbids every connection."""
    make_run(tmp_path, PLAIN)
    page = written(tmp_path)
    without_library = re.sub(r'<script type="text/plain" id="library">.*?</script>', "", page)
    assert "http://" not in without_library
    assert "https://" not in without_library
    assert "default-src 'none'" in page


def test_json_cannot_end_its_script() -> None:
    """Whatever stands in JSON, no script element ends and no comment begins."""
    text = script_json({"a": "</script><!-- & \u2028"})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"a": "</script><!-- & \u2028"}


def test_labels_are_short_distinct_and_plain() -> None:
    """Plotly reads HTML in texts: a label has none, is one line, and is never that of another."""
    assert safe("<b>a</b>\n&\x00") == "&lt;b&gt;a&lt;/b&gt; &amp;"
    assert len(safe("x" * 500)) == 42
    assert distinct(["a" * 100 + "1", "a" * 100 + "1"]) == [safe("a" * 100 + "1"), safe("a" * 100 + "1") + " (2)"]


def test_a_figure_knows_both_looks(tmp_path: Path) -> None:
    """Of the dark look only what differs is kept: colours, not data."""
    from mega_data_factory.analytics.performance.bottleneck import find_bottleneck

    found = present(find_bottleneck(recorded(tmp_path, PLAIN)))
    figure = two_looks(lambda theme: utilisation(found, theme))
    assert "template" not in figure["layout"]
    assert figure["dark"]
    assert all(isinstance(value, str) and value.startswith(("#", "rgba")) for _, value in figure["dark"])


# ── examples of records ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def real_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the local engine with errors, rejected samples and output; the folder of its metrics."""
    folder = tmp_path_factory.mktemp("real")
    texts = [f"text number {n} " * 4 for n in range(40)] + ["<b>short</b>", "tiny"]
    lines = [json.dumps({"text": text}) for text in texts] + ["{broken"]
    (folder / "in.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    executor = Executor(
        {
            "data_loader": {"type": "jsonl_loader", "params": {"path": str(folder / "in.jsonl")}},
            "stages": [
                {
                    "name": "clean",
                    "operators": [
                        {"name": "text_length_filter", "params": {"min_length": 20}},
                        {"name": "tests.fakes:Reports"},
                        {"name": "tests.fakes:Raises", "params": {"word": "number 7 "}},
                    ],
                }
            ],
            "data_writer": {"type": "parquet_writer", "params": {"output_path": str(folder / "out")}},
            "executor": {
                "rejected_samples": {"enabled": True, "output_path": str(folder / "rejected")},
                "on_error": "skip",
                "metrics": {
                    "output_path": str(folder / "metrics"),
                    "flush_interval": 0.2,
                    "collect_custom_metrics": True,
                },
            },
        }
    )
    for _ in executor.execute():
        pass
    return folder / "metrics"


def test_errors_of_a_real_run_are_found(real_run: Path, tmp_path: Path) -> None:
    """The error sink is found by the run's tag, and its messages are shown without the records."""
    write_report(MetricsReader(real_run), "latest", tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<h2>Errors</h2>" in page
    assert "data_loader" in Texts(page).shown
    assert "{broken" not in page
    assert "text number" not in page


def test_custom_metrics_of_a_real_run_are_shown(real_run: Path, tmp_path: Path) -> None:
    """Sum and mean per record of what an operator reported, in the report."""
    write_report(MetricsReader(real_run), "latest", tmp_path / "r.html")
    shown = Texts((tmp_path / "r.html").read_text(encoding="utf-8")).shown
    characters = sum(len(f"text number {n} " * 4) for n in range(40))
    assert f"clean / reportscharacters{characters:,}{characters / 40:.0f}\n" in shown


def test_the_dashboard_has_the_errors_of_an_operator_on_its_page(real_run: Path) -> None:
    """The page of an operator shows its own errors and custom metrics, not those of others."""
    with Visitor(real_run) as visitor:
        (run,) = MetricsReader(real_run).list_runs()
        stage = f"/run/{run}/stage/clean/operator/"
        raised = texts(visitor.page(f"{stage}raises")["content"]["children"])
        assert any("cannot digest number 7" in text for text in raised)
        assert not any("Custom metrics" in text for text in raised)
        reports = texts(visitor.page(f"{stage}reports")["content"]["children"])
        assert {"Custom metrics", "characters", "records"} <= set(reports)
        assert not any("cannot digest" in text for text in reports)
        of_run = texts(visitor.page(f"/run/{run}")["content"]["children"])
        assert {"Custom metrics", "characters"} <= set(of_run)


def test_samples_are_shown_when_wanted(real_run: Path, tmp_path: Path) -> None:
    """With --samples rejected and kept records are shown, as text."""
    assert main(["report", "--metrics", str(real_run), "-o", str(tmp_path / "r.html"), "--samples"]) == 0
    shown = Texts((tmp_path / "r.html").read_text(encoding="utf-8")).shown
    assert "<b>short</b>" in shown
    assert "text number 0" in shown


def test_records_that_are_gone_are_said_to_be(tmp_path: Path) -> None:
    """Where the files of a run are not there any more, the report says so."""
    make_run(tmp_path, [Pool("a", [Op("x", errors=0.1)])])
    page = Texts(written(tmp_path, samples=True)).shown
    assert "no files of this run were found" in page


def test_long_records_are_cut(tmp_path: Path) -> None:
    """A record of a megabyte is shown in part, and said to be longer."""
    folder = tmp_path / "rejected"
    folder.mkdir()
    line = {
        "kind": "rejected",
        "record_id": "r",
        "stage": "a",
        "operator": "x",
        "reason": "y",
        "record": {"text": "z" * 10**6},
    }
    (folder / "run_made.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    config = {"executor": {"rejected_samples": {"enabled": True, "output_path": str(folder)}}}
    (example,) = excluded.rejected(recorded(tmp_path / "metrics", PLAIN, config=config)).found
    assert len(example.content) < 700
    assert "1,000,000 letters" in example.content


# ── the command ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_command_says_what_stands_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`mdf report` writes a file named after the run in the current folder, and prints the first findings."""
    make_run(tmp_path / "metrics", PLAIN, "run_7")
    monkeypatch.chdir(tmp_path)
    assert main(["report", "run_7", "--metrics", "metrics"]) == 0
    assert (tmp_path / "report_7.html").stat().st_size > 1_000_000
    assert "The books balance" in capsys.readouterr().out


def test_json_is_for_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` gives the findings with their evidence."""
    make_run(tmp_path, PLAIN)
    assert main(["report", "--metrics", str(tmp_path), "-o", str(tmp_path / "r.html"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["bytes"] == (tmp_path / "r.html").stat().st_size
    assert {"severity", "kind", "title", "detail", "evidence", "suggestion", "see"} == answer["findings"][0].keys()


def test_an_unknown_run_leaves_nothing(tmp_path: Path) -> None:
    """A run that is not there is one clear error and no file."""
    make_run(tmp_path, PLAIN)
    with pytest.raises(MetricsError, match="there is no run"):
        write_report(MetricsReader(tmp_path), "run_other", tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


def test_a_place_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    """A folder where the file should be is an OutputError."""
    make_run(tmp_path, PLAIN)
    (tmp_path / "r.html").mkdir()
    with pytest.raises(OutputError):
        write_report(MetricsReader(tmp_path), "latest", tmp_path / "r.html")


def pipeline(folder: Path, **metrics: Any) -> str:
    """A pipeline file of one stage over three records."""
    (folder / "in.jsonl").write_text('{"text": "a"}\n{"text": "b"}\n{"text": "c"}\n', encoding="utf-8")
    config = {
        "data_loader": {"type": "jsonl_loader", "params": {"path": str(folder / "in.jsonl")}},
        "stages": [{"name": "s", "operators": [{"name": "text_length_filter", "params": {"min_length": 1}}]}],
        "data_writer": {"type": "jsonl_writer", "params": {"output_path": str(folder / "out")}},
        "executor": {"metrics": {"output_path": str(folder / "metrics"), "generate_report": True, **metrics}},
    }
    (folder / "pipeline.yaml").write_text(json.dumps(config), encoding="utf-8")
    return str(folder / "pipeline.yaml")


def test_a_run_writes_its_report_when_told_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With metrics.generate_report the page lies beside the metrics, and the summary says where."""
    assert main(["run", "--config", pipeline(tmp_path), "--run-id", "run_1", "--json"]) == 0
    path = tmp_path / "metrics" / "reports" / "report_1.html"
    assert path.stat().st_size > 1_000_000
    assert json.loads(capsys.readouterr().out)["paths"]["report"] == str(path)


def test_a_report_that_cannot_be_written_fails_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where the place of the reports is a file, that is logged, and the run goes on to its end."""
    make_run(tmp_path, PLAIN)
    (tmp_path / "reports").write_text("in the way", encoding="utf-8")
    assert report_beside(str(tmp_path), "run_made") is None
    assert "could not be written" in caplog.text


@pytest.mark.parametrize("version", [0, 1, 2])
def test_files_of_every_version_have_a_report(tmp_path: Path, version: int) -> None:
    """What older versions did not write is left out, and their operators are in the tables."""
    store = Path(__file__).parents[1] / "metrics" / "old_versions" / f"version_{version}"
    write_report(MetricsReader(store), "latest", tmp_path / "r.html")
    page = Texts((tmp_path / "r.html").read_text(encoding="utf-8")).shown
    assert "Where the records went" in page
    operators = MetricsReader(store).operators(MetricsReader(store).resolve("latest"))
    assert operators["operator_name"][0].as_py() in page
