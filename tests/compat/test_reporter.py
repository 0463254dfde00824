"""Scripts that report on runs as users of the original reporter do, up to the page on a hub."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mega_data_factory.errors import InputError, MetricsError, MissingPackageError, OutputError
from mega_data_factory.framework.metrics import MetricsReporter
from mega_data_factory.framework.metrics.run_ids import run_tag
from mega_data_factory.testing import finished_run
from tests.compat.hub import hub_server


def test_a_run_is_loaded_as_pandas_objects(tmp_path: Path) -> None:
    """With and without `run_`; a run that is not there is three times None."""
    reporter = MetricsReporter(str(tmp_path))
    assert reporter.get_latest_run_id() is None
    assert reporter.metrics_path == tmp_path
    for run_id in ("run_a", "run_b"):
        finished_run(tmp_path, run_id)
    assert reporter.get_latest_run_id() == "run_b"
    run, stages, operators = reporter.load_single_run_metrics("b")
    assert run is not None
    assert stages is not None
    assert operators is not None
    assert (run["run_id"], run["total_input_records"]) == ("run_b", 200)
    assert stages["output_records"].tolist() == [162]
    assert operators.groupby("operator_name")["input_records"].sum().to_dict() == {
        "exact_deduplicator": 180,
        "text_length_filter": 200,
    }
    assert reporter.load_single_run_metrics("run_c") == (None, None, None)
    assert MetricsReporter("memory://bucket/metrics").metrics_path == "memory://bucket/metrics"


def test_the_report_of_a_run_with_samples_from_elsewhere(tmp_path: Path) -> None:
    """The latest by default, beside the metrics; samples are read from the folders that are given, so many of each."""
    run_id = finished_run(tmp_path / "metrics", "run_a")
    rejected, output = tmp_path / "moved" / "rejected", tmp_path / "moved" / "out"
    rejected.mkdir(parents=True)
    output.mkdir()
    lines = [
        {
            "kind": "rejected",
            "record_id": f"r{n}",
            "stage": "clean",
            "operator": "text_length_filter",
            "reason": "too_short",
            "record": {"text": f"rejected {n}"},
        }
        for n in range(5)
    ]
    (rejected / f"{run_id}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    kept = pa.table({"record_id": [f"k{n}" for n in range(5)], "text": [f"kept {n}" for n in range(5)]})
    pq.write_table(kept, output / f"part-{run_tag(run_id)}-000000.parquet")
    reporter = MetricsReporter(tmp_path / "metrics")
    plain = reporter.generate_single_run_report()
    assert plain == str(tmp_path / "metrics" / "reports" / "report_a.html")
    assert "kept 0" not in Path(plain).read_text()
    path = reporter.generate_single_run_report("a", tmp_path / "report.html", str(rejected), str(output), 3)
    assert path == str(tmp_path / "report.html")
    page = Path(path).read_text()
    for n in range(5):
        assert (f"rejected {n}" in page, f"kept {n}" in page) == (n < 3, n < 3)
    with pytest.raises(MetricsError, match="there is no run nightly"):
        reporter.generate_single_run_report("nightly")
    with pytest.raises(MetricsError, match="there are no runs"):
        MetricsReporter(tmp_path / "empty").generate_single_run_report()


def test_publishing_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file, or the package."""
    with pytest.raises(InputError, match=r"there is no report .*report\.html"):
        MetricsReporter(tmp_path).publish_to_huggingface(tmp_path / "report.html", "me/metrics")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingPackageError, match="publishing a report needs the package huggingface_hub"):
        MetricsReporter(tmp_path).publish_to_huggingface(tmp_path / "report.html", "me/metrics")


@pytest.mark.slow
def test_a_report_is_published_to_a_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real `huggingface_hub` to a server of its API: the Space is made once, and its page is the newest report."""
    report = tmp_path / "report.html"
    reporter = MetricsReporter(tmp_path)
    with hub_server("hf_secret") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        for text in ("<h1>first</h1>", "<h1>second</h1>" * 10_000):
            report.write_text(text)
            message = "Nightly" if "second" in text else None
            url = reporter.publish_to_huggingface(str(report), "me/metrics", "hf_secret", message)
            assert url == f"{hub.url}/spaces/me/metrics"
            assert hub.spaces == {"me/metrics": {"index.html": text.encode()}}
        assert [(one["type"], one["sdk"], one["name"]) for one in hub.created] == [("space", "static", "metrics")]
        assert hub.messages[0].startswith("Metrics report of 20")
        assert hub.messages[1] == "Nightly"
        with pytest.raises(OutputError, match="cannot be published to me/metrics") as refused:
            reporter.publish_to_huggingface(report, "me/metrics", token="hf_wrongwrongwrongwrong")
        assert "hf_wrong" not in str(refused.value)
        with pytest.raises(OutputError, match="cannot be published"):
            reporter.publish_to_huggingface(report, "not/a/name", token="hf_secret")
        closed = hub.url
    monkeypatch.setenv("HF_ENDPOINT", closed)
    with pytest.raises(OutputError, match="cannot be published"):
        reporter.publish_to_huggingface(report, "me/metrics", token="hf_secret")
