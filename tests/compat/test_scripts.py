"""A script as a user of the original wrote it, run unchanged: its own loader, operators and registrations."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

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
    worker: {num_replicas: 2}
data_writer:
  type: ParquetDataWriter
  params: {output_path: ./out, table_name: pages}
executor:
  use_ray: false
  batch_size: 4
"""


def test_a_script_of_the_original_runs_with_exact_books(tmp_path: Path) -> None:
    """Classes of the script run in the workers; every record is passed, rejected or set aside, and counted so."""
    (tmp_path / "curate.py").write_text(SCRIPT, encoding="utf-8")
    (tmp_path / "pipeline.yaml").write_text(PIPELINE, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "curate.py"], cwd=tmp_path, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
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
    warnings = [line for line in done.stderr.splitlines() if line.startswith("pipeline.yaml:")]
    assert [line.partition(" is an old form: ")[0] for line in warnings] == [
        "pipeline.yaml:5: data_loader.checkpoint_interval",
        "pipeline.yaml:15: data_writer.type",
        "pipeline.yaml:16: data_writer.params.table_name",
        "pipeline.yaml:18: executor.use_ray",
    ]
