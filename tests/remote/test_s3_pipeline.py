"""A whole pipeline whose input, output, metrics and rejected samples are in S3."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from mega_data_factory import storage
from mega_data_factory.cli import main
from mega_data_factory.framework.metrics import MetricsReader
from tests.remote.conftest import names_below

pytestmark = pytest.mark.slow

TEXTS = [f"text number {number} of those that are long enough" if number % 5 else "short" for number in range(40)]


def pipeline(bucket: str, folder: Path) -> str:
    """A pipeline from the bucket to the bucket, and its input; returns the file's name."""
    for part in range(2):
        lines = [json.dumps({"text": text, "id": str(part)}) for text in TEXTS[part::2]]
        with storage.atomic_output(f"{bucket}/in/{part}.jsonl.gz" if part else f"{bucket}/in/{part}.jsonl") as sink:
            sink.write(_gzip(lines) if part else "\n".join(lines).encode())
    config: dict[str, Any] = {
        "name": "from_s3_to_s3",
        "data_loader": {"type": "jsonl_loader", "params": {"path": f"{bucket}/in"}},
        "stages": [
            {"name": "clean", "operators": [{"name": "text_length_filter", "params": {"min_length": 10}}]},
        ],
        "data_writer": {"type": "parquet_writer", "params": {"output_path": f"{bucket}/out"}},
        "executor": {
            "batch_size": 10,
            "rejected_samples": {"keep": "all", "output_path": f"{bucket}/rejected"},
            "metrics": {"output_path": f"{bucket}/metrics"},
        },
    }
    path = folder / "pipeline.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return str(path)


def _gzip(lines: list[str]) -> bytes:
    import gzip

    return gzip.compress("\n".join(lines).encode())


def test_a_pipeline_from_s3_to_s3(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Records, metrics and samples are right and complete, nothing else is left, and `mdf runs` shows the run."""
    monkeypatch.chdir(tmp_path)
    assert main(["run", "--config", pipeline(bucket, tmp_path), "--json", "--run-id", "run_s3"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["books"]["balanced"] is True
    assert (answer["run"]["total_input_records"], answer["run"]["total_output_records"]) == (40, 32)

    below = names_below(f"{bucket}/out")
    assert below
    assert all(name.startswith("part-") and "/" not in name for name in below)
    tables = [pq.read_table(io.BytesIO(storage.read_bytes(f"{bucket}/out/{name}"))) for name in below]
    texts = sorted(text for table in tables for text in table.column("text").to_pylist())
    assert texts == sorted(text for text in TEXTS if text != "short")
    samples = storage.read_bytes(f"{bucket}/rejected/run_s3.jsonl").splitlines()
    assert {json.loads(line)["reason"] for line in samples} == {"too_short"}

    assert main(["runs", "show", "latest", "--metrics", f"{bucket}/metrics", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["stages"] == answer["stages"]
    assert shown["run"]["run_id"] == "run_s3"
    assert shown["paths"]["metrics"] == f"{bucket}/metrics"

    (name,) = (name for name in names_below(f"{bucket}/rejected") if name != "run_s3.jsonl")
    assert name.startswith("run_s3/part-")
    assert main(["rejects", "--metrics", f"{bucket}/metrics", "--around", "1", "--json"]) == 0
    rejected = json.loads(capsys.readouterr().out)
    assert (rejected["records"], rejected["bytes"]) == (8, 40)
    assert (
        main(["trace", "latest", rejected["nearest"][0]["record_id"], "--metrics", f"{bucket}/metrics", "--json"]) == 0
    )
    traced = json.loads(capsys.readouterr().out)
    assert (traced["outcome"], traced["file"]) == ("rejected", f"{bucket}/rejected/{name}")
    kept = tables[0].column("record_id")[0].as_py()
    assert main(["trace", "latest", kept, "--metrics", f"{bucket}/metrics", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["file"] in {f"{bucket}/out/{name}" for name in below}


def test_a_second_run_is_refused_where_output_lies(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Output in a bucket is found and not mixed with that of another run, unless it is to be overwritten."""
    monkeypatch.chdir(tmp_path)
    config = pipeline(bucket, tmp_path)
    assert main(["run", "--config", config, "--quiet"]) == 0
    first = names_below(f"{bucket}/out")
    assert main(["run", "--config", config, "--quiet"]) == 1
    assert "error[output-unwritable]" in capsys.readouterr().err
    assert names_below(f"{bucket}/out") == first
    assert main(["run", "--config", config, "--quiet", "--set", "data_writer.params.if_exists=overwrite"]) == 0
    second = names_below(f"{bucket}/out")
    assert len(second) == len(first)
    assert not set(second) & set(first)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")
def test_on_ray_all_of_it_is_in_s3_too(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Input, output and metrics of a run on Ray are in S3, the same records as on one machine; the books balance."""
    monkeypatch.chdir(tmp_path)
    config = pipeline(bucket, tmp_path)
    try:
        assert main(["run", "--config", config, "--engine", "ray", "--json", "--run-id", "run_ray"]) == 0
    finally:
        import ray

        ray.shutdown()
    answer = json.loads(capsys.readouterr().out)
    assert answer["books"]["balanced"] is True
    assert (answer["run"]["engine"], answer["run"]["total_output_records"]) == ("ray", 32)
    below = names_below(f"{bucket}/out")
    tables = [pq.read_table(io.BytesIO(storage.read_bytes(f"{bucket}/out/{name}"))) for name in below]
    texts = sorted(text for table in tables for text in table.column("text").to_pylist())
    assert texts == sorted(text for text in TEXTS if text != "short")
    reader = MetricsReader(f"{bucket}/metrics")
    assert reader.run("latest")["status"] == "completed"
    assert reader.samples("run_ray").num_rows
    assert reader.nodes("run_ray").num_rows
