"""Small pipelines that run in this process and leave metrics, for questions about other thresholds."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from mega_data_factory.framework.batch import Batch
from mega_data_factory.framework.config.mistakes import Place
from mega_data_factory.framework.metrics import MetricsCollector, MetricsWriter
from mega_data_factory.framework.metrics.details.totals import DetailTotals
from mega_data_factory.framework.plan import OperatorPlan, StagePlan
from mega_data_factory.framework.registry import resolve
from mega_data_factory.framework.worker.stage import Stage, StageSettings
from mega_data_factory.testing import MemoryClaims

START = datetime(2026, 1, 1)
WORDS = [*("the", "of", "and", "to", "be", "have", "with", "that", "market", "report", "people", "year", "time")]
WORDS += ["government", "system", "number", "question", "12", "—", "#", "..."]


def made_up_texts(number: int, seed: int = 1) -> pa.Table:
    """Return records with texts of very different length, line length, repetition and share of words."""
    draw = random.Random(seed)
    texts = []
    for _ in range(number):
        words = draw.sample(WORDS, draw.choice([3, 6, 12, len(WORDS)]))
        weights = [draw.random() ** 2 for _ in words]
        length = int(draw.lognormvariate(4.2, 1.1)) + 1
        breaks = draw.choice([0.02, 0.1, 0.4])
        picked = draw.choices(words, weights, k=length)
        texts.append("".join(word + draw.choices(["\n", ". ", " "], [breaks, 0.1, 1])[0] for word in picked))
    scores = [round(draw.random(), 3) for _ in range(number)]
    ids = [f"r{row:06d}" for row in range(number)]
    return pa.table({"record_id": ids, "text": texts, "language": ["en"] * number, "language_score": scores})


@dataclass(frozen=True)
class Operator:
    """An operator of a pipeline: its name in a configuration, and its parameters."""

    name: str
    params: Mapping[str, Any]


def run(folder: Path, table: pa.Table, operators: Sequence[Operator], run_id: str = "run_a", batch: int = 500) -> str:
    """Run operators of one stage, `judge`, on a table; write the metrics of the run, and return its id."""
    plans: list[OperatorPlan] = []
    for place, operator in enumerate(operators):
        component = resolve("operator", operator.name, dict(operator.params), Place(("test", place)))
        name = component.name if component.name not in [plan.name for plan in plans] else f"{component.name}_{place}"
        plans.append(OperatorPlan(name, place, component))
    stage = Stage(
        StagePlan("judge", 0, tuple(plans), 1, 1), "w0", StageSettings(run_id, score_histograms=True), MemoryClaims()
    )
    collector, details = MetricsCollector(run_id), DetailTotals()
    passed = 0
    with collector.track_run() as totals:
        for number, start in enumerate(range(0, table.num_rows, batch)):
            part = table.slice(start, batch)
            done = stage(Batch(f"000000-{number:05d}", 0, part, part.num_rows))
            details.add(done.details)
            passed += done.table.num_rows
            for row in done.metrics:
                collector.add_operator_metrics(row)
        totals.set(total_input_records=table.num_rows, total_output_records=passed)
    writer = MetricsWriter(folder)
    writer.write_details("scores", details.rows("scores", run_id, START), run_id)
    snapshot = collector.snapshot()
    assert snapshot is not None
    writer.write_all(snapshot.run, snapshot.stages, snapshot.operators)
    return run_id
