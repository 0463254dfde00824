"""The code of the published description of the metrics module, as it stands there."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mega_data_factory.framework import metrics
from mega_data_factory.framework.config.pipeline import PipelineConfig
from mega_data_factory.framework.metrics import MetricsCollector, MetricsReader, MetricsWriter
from mega_data_factory.testing import finished_run
from tests.operator_rows import row
from tests.test_docs import blocks

CONTEXT_MANAGERS = """
with metrics_collector.track_run():
    for stage in stages:
        with metrics_collector.track_stage(stage_name):
            # Automatically collect metrics
            process_stage()
"""

PROGRAMMING_INTERFACE = """
from mega_data_factory.framework.metrics import (
    MetricsCollector,
    MetricsWriter,
    OperatorMetrics
)

collector = MetricsCollector()

with collector.track_run():
    with collector.track_stage("stage_0"):
        # Add operator metrics
        collector.add_operator_metrics(op_metrics)

# Write to Parquet
writer = MetricsWriter("./metrics")
writer.write_all(
    run_metrics=collector.get_run_metrics(),
    stage_metrics=collector.get_stage_metrics(),
    operator_metrics=collector.get_operator_metrics()
)
"""

READ_AND_ANALYZE = """
writer = MetricsWriter("./metrics")

# List all runs
runs = writer.list_runs()

# Read specific run
metrics = writer.read_operator_metrics("run_20260124_123456")
"""

CLASSES = """
class MetricsCollector:
    def __init__(self, run_id: str | None = None)

    @contextmanager
    def track_run()

    @contextmanager
    def track_stage(stage_name: str)

    @contextmanager
    def track_operator(operator_name: str, stage_name: str, worker_id: str)

    def add_operator_metrics(metrics: OperatorMetrics)
    def get_operator_metrics() -> list[OperatorMetrics]
    def get_stage_metrics() -> list[StageMetrics]
    def get_run_metrics() -> RunMetrics | None

class MetricsWriter:
    def __init__(self, output_path: str | Path)

    def write_operator_metrics(metrics: list[OperatorMetrics], run_id: str)
    def write_stage_metrics(metrics: list[StageMetrics], run_id: str)
    def write_run_metrics(metrics: RunMetrics)
    def write_all(...)

    def read_operator_metrics(run_id: str) -> list[dict]
    def read_stage_metrics(run_id: str) -> list[dict]
    def read_run_metrics(run_id: str) -> dict | None
    def list_runs() -> list[str]

class MetricsAggregator:
    def __init__(self, run_id: str)

    def collect_from_workers(workers: list[Any]) -> list[OperatorMetrics]
    def aggregate_to_stage_metrics(
        operator_metrics: list[OperatorMetrics],
        stage_name: str
    ) -> StageMetrics
    def collect_stage_metrics(
        workers: list[Any],
        stage_name: str
    ) -> StageMetrics
"""

CONFIGURATION = """
executor:
  metrics:
    enabled: true                 # Enable metrics
    output_path: "./metrics"      # Output path
    collect_custom_metrics: false # Custom metrics
    write_on_completion: true     # Write on completion
"""

SLOW_OPERATORS = """
SELECT
    operator_name,
    AVG(throughput) as avg_throughput,
    AVG(p95_latency * 1000) as p95_latency_ms
FROM operators
GROUP BY operator_name
ORDER BY avg_throughput ASC
LIMIT 10
"""

PASS_RATES = """
SELECT
    DATE_TRUNC('hour', timestamp) as hour,
    AVG(pass_rate) as avg_pass_rate
FROM stages
WHERE stage_name = 'embedding_stage'
GROUP BY hour
ORDER BY hour DESC
"""


def run(code: str, **names: Any) -> dict[str, Any]:
    """Run a block with some names; return all names after it."""
    exec(code, names)
    return names


def test_blocks_of_python_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Track with context managers; collect and write; read back."""
    monkeypatch.chdir(tmp_path)
    tracked = MetricsCollector()
    done: list[str] = []
    run(
        CONTEXT_MANAGERS,
        metrics_collector=tracked,
        stages=["only"],
        stage_name="only",
        process_stage=lambda: done.append("only"),
    )
    assert done == [stage.stage_name for stage in tracked.get_stage_metrics()] == ["only"]
    written = run(PROGRAMMING_INTERFACE, op_metrics=row(run_id="run_of_the_worker"))
    writer = written["writer"]
    writer.write_operator_metrics(written["collector"].get_operator_metrics(), "run_20260124_123456")
    read = run(READ_AND_ANALYZE, MetricsWriter=MetricsWriter)
    assert read["runs"] == [written["collector"].run_id]
    assert [(one["run_id"], one["input_records"]) for one in read["metrics"]] == [("run_20260124_123456", 100)]
    assert writer.read_stage_metrics(read["runs"][0])[0]["stage_name"] == "stage_0"


def test_the_block_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The script of the page on coming from the original."""
    monkeypatch.chdir(tmp_path)
    run(blocks("docs/coming-from-the-originals.md", "python")[0])
    assert capsys.readouterr().out == "900\n"
    (one,) = MetricsReader("metrics").rows("operators", MetricsReader("metrics").list_runs()[0])
    assert (one["rejected_records"], one["custom_metrics"]) == (100, {"tokens": 123456})


def test_classes_have_their_methods() -> None:
    """With the parameters of the description first, by position and by name; others have defaults."""
    checked = 0
    for text in CLASSES.split("class ")[1:]:
        kind = getattr(metrics, text.partition(":")[0])
        for name, parameters in re.findall(r"def (\w+)\(([^)]*)\)", text):
            if parameters == "...":
                continue
            method: Callable[..., Any] = getattr(kind, name)
            ours = list(inspect.signature(method).parameters.values())[1:]
            theirs = [word.partition(":")[0].strip() for word in parameters.split(",") if word.strip()]
            theirs = [word for word in theirs if word != "self"]
            assert [parameter.name for parameter in ours][: len(theirs)] == theirs, f"{kind.__name__}.{name}"
            assert all(parameter.default is not parameter.empty for parameter in ours[len(theirs) :])
            checked += 1
    assert checked == 20


def test_the_configuration_is_accepted(tmp_path: Path) -> None:
    """Added to a pipeline."""
    pipeline = {
        "data_loader": {"type": "jsonl_loader", "params": {"path": str(tmp_path)}},
        "stages": [{"name": "embedding_stage", "operators": [{"name": "text_length_filter"}]}],
        "data_writer": {"type": "parquet_writer", "params": {"output_path": str(tmp_path / "out")}},
    }
    config = PipelineConfig.model_validate(pipeline | yaml.safe_load(CONFIGURATION))
    found = config.executor.metrics
    assert (found.enabled, found.output_path) == (True, "./metrics")
    assert (found.collect_custom_metrics, found.write_on_completion) == (False, True)


def test_queries_answer(tmp_path: Path) -> None:
    """Slow operators, the slowest first; pass rates of a stage by the hour."""
    finished_run(tmp_path, "run_a")
    collector = MetricsCollector("run_b")
    with collector.track_run(), collector.track_stage("embedding_stage") as stage:
        stage.records(input=10, output=4)
    MetricsWriter(tmp_path).write_all(collector.get_run_metrics(), collector.get_stage_metrics(), [])
    reader = MetricsReader(tmp_path)
    assert reader.sql(SLOW_OPERATORS).column("operator_name").to_pylist() == [
        "exact_deduplicator",
        "text_length_filter",
    ]
    assert reader.sql(PASS_RATES).column("avg_pass_rate").to_pylist() == [40.0]
