"""The example pipelines are valid, and the WARC one does what it says on real pages."""

from __future__ import annotations

import io
import json
import sysconfig
from pathlib import Path

import pytest
from fastwarc.warc import WarcRecord, WarcRecordType

from mega_data_factory.cli import main
from mega_data_factory.framework.config.pipeline import PipelineConfig
from mega_data_factory.framework.plan import make_plan

CONFIGS = Path(__file__).parents[1] / "configs"
PROSE = """The river that runs through the valley has been a border for as long as people have lived on its banks.
In spring it carries the snow of the mountains with it, and the meadows stand under water for a week or two.
Nobody who builds here forgets that, so the old houses stand on the slope, with their backs to the forest.
Once a ferry crossed below the mill; its owner knew every stone and took cattle, grain and news to the other side.
When the bridge was opened he sold his boat, bought a small orchard, and never went near the landing again.
Today the mill is a school, and the children are told that the wheel still turns at night when the moon is full.
They do not believe it, of course, but hardly anyone walks along that path alone after dark.
"""


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_is_a_valid_pipeline(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file in configs/ resolves to a plan: all names and parameters exist."""
    monkeypatch.setenv("WARC_PATH", "pages.warc")
    plan = make_plan(PipelineConfig.from_yaml(path))
    assert plan.config.name == path.stem


def test_the_metrics_example_is_large_enough_to_be_worth_a_look() -> None:
    """The example has at least two stages, eight operators, and two workers everywhere, with metrics as specified."""
    plan = make_plan(PipelineConfig.from_yaml(CONFIGS / "example_with_metrics.yaml"))
    assert len(plan.stages) >= 2
    assert sum(len(stage.operators) for stage in plan.stages) >= 8
    assert {stage.max_workers for stage in plan.stages} == {2}
    assert plan.loader_workers == 2
    assert plan.executor.rejected_samples.enabled
    assert plan.executor.metrics.output_path == "./metrics"


def pages() -> list[tuple[str, bytes]]:
    """HTML that installed packages and Python itself ship, and a page of prose three times, with other titles."""
    packages = Path(sysconfig.get_paths()["purelib"])
    shipped = sorted(path for path in packages.rglob("*.html") if 0 < path.stat().st_size < 300_000)[:20]
    found = [(f"https://example.org/{number}", path.read_bytes()) for number, path in enumerate(shipped)]
    paragraphs = "".join(f"<p>{line}</p>" for line in PROSE.splitlines())
    for number in range(3):
        body = f"<html><body><article><h1>The river, part {number}</h1>{paragraphs}</article></body></html>"
        found.append((f"https://example.org/prose/{number}", body.encode()))
    found.append(("https://casino.example.net/", b"<p>play</p>"))
    return found


def write_warc(path: Path) -> int:
    """A WARC of the pages; returns how many."""
    with path.open("wb") as stream:
        for url, body in pages():
            record = WarcRecord()
            record.init_headers(record_type=WarcRecordType.response)
            record.headers["WARC-Target-URI"] = url
            record.headers["Content-Type"] = "application/http; msgtype=response"
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n\r\n"
            record.set_bytes_content(head.encode() + body)
            buffer = io.BytesIO()
            record.write(buffer)
            stream.write(buffer.getvalue())
    return len(pages())


def test_the_warc_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a WARC of real HTML every page is accounted for, a blocked URL goes first, and prose stays but once."""
    total = write_warc(tmp_path / "pages.warc")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WARC_PATH", str(tmp_path / "pages.warc"))
    few = [f"--set=stages.{stage}.worker.num_replicas=1" for stage in ("extract", "judge")]
    assert main(["run", "--config", str(CONFIGS / "example_warc.yaml"), "--json", *few]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["run"]["total_input_records"] == total
    assert answer["books"]["balanced"] is True
    operators = {row["operator_name"]: row for stage in answer["stages"] for row in stage["operators"]}
    assert operators["url_filter"]["rejected_reasons"] == {"blocked_word": 1}
    assert operators["minhash_deduplicator"]["rejected_reasons"] == {"duplicate": 2}
    assert answer["run"]["total_errors"] == 0
