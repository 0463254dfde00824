"""A script and a YAML file as a user of the original wrote them, run unchanged."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mega_data_factory.cli import main
from tests.compat.old_files import URL_FILTER

SCRIPT = """
import json
from typing import Any

import pyarrow as pa

from mega_data_factory.framework import (
    DataLoader,
    DataLoaderRegistry,
    Deduplicator,
    Executor,
    Filter,
    OperatorRegistry,
    PipelineConfig,
    Refiner,
)


class PagesLoader(DataLoader):
    def __init__(self, num_files: int = 2):
        self.num_files = num_files

    def get_file_list(self, max_samples: int | None = None, num_workers: int = 1) -> list[str]:
        return [f"part-{i}" for i in range(self.num_files)]

    def load_files(self, file_list, worker_id=None, checkpoint=None):
        for name in file_list:
            for i in range(10):
                yield {"id": f"{name}/{i}", "text": f"page {i % 5} " * i, "score": i / 10}
            if name == "part-1":
                raise OSError("the disk is damaged")


class LengthRefiner(Refiner):
    def refine_batch(self, records: list[dict[str, Any]]) -> None:
        for record in records:
            if record["text"] == "":
                raise ValueError("an empty page")
            record["length"] = len(record["text"])

    def get_output_schema(self) -> dict[str, pa.DataType]:
        return {"length": pa.int32()}


class ScoreFilter(Filter):
    def __init__(self, least: float = 0.5):
        super().__init__()
        self.least = least

    def should_keep_batch(self, records: list[dict[str, Any]]) -> list[bool]:
        return [record["score"] >= self.least for record in records]


class TextDeduplicator(Deduplicator):
    def get_dedup_keys_batch(self, records: list[dict[str, Any]]) -> list[str]:
        return [record["text"] for record in records]


OperatorRegistry.register("LengthRefiner", LengthRefiner)
OperatorRegistry.register("ScoreFilter", ScoreFilter)
OperatorRegistry.register("TextDeduplicator", TextDeduplicator)
DataLoaderRegistry.register("PagesLoader", PagesLoader)

if __name__ == "__main__":
    executor = Executor(PipelineConfig.from_yaml("pipeline.yaml"))
    progress = executor.run()
    counts = {}
    for row in executor.metrics_collector.get_operator_metrics():
        before = counts.get(row.operator_name, (0, 0, 0))
        now = (row.input_records, row.output_records, row.error_count)
        counts[row.operator_name] = [a + b for a, b in zip(before, now)]
    differences = executor.books.differences(executor.metrics_collector.get_operator_metrics(), finished=True)
    print(json.dumps({"read": progress.records_read, "errors": progress.record_errors, "reasons": progress.reasons,
                      "operators": counts, "differences": [str(each) for each in differences]}))
"""

ACTOR = """
    import ray

    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    from mega_data_factory.framework import RayWorker
    from mega_data_factory.framework.metrics import MetricsAggregator

    worker = RayWorker.options(name="pipeline_w", num_cpus=1).remote("w", [LengthRefiner(), ScoreFilter()])
    passed = ray.get(worker.process_batch_with_records.remote([{"text": "a", "score": 1}, {"text": "b", "score": 0}]))
    assert passed == [{"text": "a", "score": 1, "length": 1}], passed
    stats = ray.get(worker.get_operator_stats.remote())
    assert {name: each["output_records"] for name, each in stats.items()} == {"LengthRefiner": 2, "ScoreFilter": 1}
    stage = MetricsAggregator("run").collect_stage_metrics([worker], "basic")
    assert (stage.num_workers, stage.input_records, stage.output_records) == (1, 2, 1), stage
    ray.shutdown()
"""
"""What follows on a cluster: a worker as an actor."""

PIPELINE = """\
data_loader:
  type: PagesLoader
  params: {num_files: 2}
  num_workers: 2
  checkpoint_interval: 100
stages:
  - name: basic
    operators:
      - name: length_refiner
      - name: score_filter
        params: {least: 0.2}
      - name: text_deduplicator
    worker: {num_replicas: 2, resources: {cpu: 0.3}}
data_writer:
  type: ParquetDataWriter
  params: {output_path: ./out, table_name: pages}
executor:
  use_ray: false
  batch_size: 4
"""


def run_script(folder: Path, script: str, *, notebook: bool) -> tuple[str, str]:
    """Run the script in a session of its own, of which nothing stays; return what it printed.

    A notebook's cells are, as the text of a command, in no file that a worker could import.
    """
    (folder / "curate.py").write_text("" if notebook else script, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, *(["-c", script] if notebook else ["curate.py"])],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        printed, said = process.communicate(timeout=600)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, said
    return printed, said


@pytest.mark.parametrize(
    ("engine", "notebook"),
    [
        ("local", False),
        pytest.param("local", True, marks=pytest.mark.slow),
        pytest.param("ray", False, marks=pytest.mark.slow),
        pytest.param("ray", True, marks=pytest.mark.slow),
    ],
)
def test_a_script_of_the_original_runs_with_exact_books(engine: str, notebook: bool, tmp_path: Path) -> None:
    """Classes of script or notebook run in the workers; every record is passed, rejected or set aside, and counted."""
    pipeline = PIPELINE.replace("use_ray: false", "use_ray: true") if engine == "ray" else PIPELINE
    (tmp_path / "pipeline.yaml").write_text(pipeline, encoding="utf-8")
    printed, said = run_script(tmp_path, SCRIPT + (ACTOR if engine == "ray" else ""), notebook=notebook)
    assert json.loads(printed) == {
        "read": 21,  # 20 pages, and the place in part-1 where the disk is damaged
        "errors": 3,  # that place, and the empty page of each file
        "reasons": {"filtered": 2, "duplicate": 8},
        "operators": {"length_refiner": [20, 18, 2], "score_filter": [18, 16, 0], "text_deduplicator": [16, 8, 0]},
        "differences": [],
    }
    written = pa.concat_tables(pq.read_table(file) for file in (tmp_path / "out").glob("*.parquet"))
    assert sorted(set(written.column("text").to_pylist())) == sorted(f"page {i % 5} " * i for i in range(2, 10))
    assert str(written.schema.field("length").type) == "int32"
    assert set(written.column("record_id").to_pylist()) <= {f"part-{f}#{i}" for f in (0, 1) for i in range(10)}
    warnings = [line for line in said.splitlines() if line.startswith("pipeline.yaml:")]
    assert [line.partition(" is an old form: ")[0] for line in warnings] == [
        "pipeline.yaml:5: data_loader.checkpoint_interval",
        "pipeline.yaml:15: data_writer.type",
        "pipeline.yaml:16: data_writer.params.table_name",
        "pipeline.yaml:18: executor.use_ray",
    ]


OLD_FILE = (
    """\
data_loader:
  type: HuggingFaceLoader
  params: {dataset_name: corpus, split: train, streaming: true}
  num_workers: 1
  checkpoint_interval: 100
operators:
"""
    + URL_FILTER
    + """\
      word_weights: {casino: 0.9}
      use_default_words: false
  - name: text_length_filter
    params: {text_field: body, min_length: 1}
  - name: text_exact_deduplicator
    params: {text_field: body}
workers:
  - name: clean
    operator_names: [url_filter, text_length_filter]
    num_replicas: 1
  - name: unique
    operator_names: [text_exact_deduplicator]
data_writer:
  type: ParquetDataWriter
  params: {output_path: ./out, table_name: pages, partition_by: [link]}
executor:
  use_ray: false
  num_cpus: 1
  rejected_samples: {enabled: true, output_path: ./rejected, writer_type: ParquetDataWriter}
  metrics: {output_path: ./metrics, debug_samples_per_operator: 1}
"""
)

PAGES = [
    ("http://a.example/1", "one", None),
    ("http://a.example/2", "", "too_short"),
    ("http://a.example/3", "one", "duplicate"),
    ("http://sub.bad.example/4", "four", "blocked_domain"),
    ("http://worse.example/5", "five", "blocked_domain"),
    ("http://a.example/mycasino", "six", "blocked_word"),
    (None, "seven", None),
    ("http://a.example/8", "beyond --max-samples", None),
]
"""Link, body, and why the page is rejected."""


def test_an_old_file_runs_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """`mdf run -c FILE --max-samples N --batch-size N` runs an old file; its output is added to the folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    Path("corpus").mkdir()
    lines = [json.dumps({"link": link, "body": body}) for link, body, _ in PAGES]
    Path("corpus/train.jsonl").write_text("\n".join(lines), encoding="utf-8")
    Path("domains.txt").write_text("worse.example\n", encoding="utf-8")
    Path("old.yaml").write_text(OLD_FILE, encoding="utf-8")
    Path("out").mkdir()
    pq.write_table(pa.table({"record_id": ["earlier"]}), "out/earlier.parquet")
    assert main(["run", "-c", "old.yaml", "--max-samples", "7", "--batch-size", "3", "--json"]) == 0
    answer = json.loads(capfd.readouterr().out)
    assert (answer["run"]["total_input_records"], answer["run"]["batches"]) == (7, 3)
    assert answer["books"]["balanced"] is True
    written = pa.concat_tables([pq.read_table(file) for file in Path("out").glob("part-*.parquet")])
    kept = [(link, body) for link, body, reason in PAGES[:7] if reason is None]
    assert sorted(written.select(["link", "body"]).to_pylist(), key=str) == sorted(
        ({"link": link, "body": body} for link, body in kept), key=str
    )
    assert Path("out/earlier.parquet").exists()
    (samples,) = Path("rejected").glob("*.jsonl")
    reasons = [json.loads(line)["reason"] for line in samples.read_text(encoding="utf-8").splitlines()]
    assert sorted(reasons) == ["blocked_domain", "blocked_word", "duplicate", "too_short"]  # one sample of each
    assert sum(" is an old form: " in record.getMessage() for record in caplog.records) == 19
