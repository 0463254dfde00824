"""Tools for tests of your own operators and of code that reads metrics: no processes, no waiting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa

from mega_data_factory.framework.batch import Batch, Exclusion
from mega_data_factory.framework.config.mistakes import Place
from mega_data_factory.framework.contracts import RECORD_ID
from mega_data_factory.framework.metrics import MetricsCollector, MetricsWriter, OperatorMetrics
from mega_data_factory.framework.plan import OperatorPlan, StagePlan
from mega_data_factory.framework.registry import resolve
from mega_data_factory.framework.worker.stage import Stage, StageSettings


@dataclass
class FakeClock:
    """A clock that is advanced by hand: pass it where a clock is expected.

    Attributes:
        seconds: what it shows.
    """

    seconds: float = 0.0

    def __call__(self) -> float:
        """Return the current time."""
        return self.seconds

    def now(self) -> datetime:
        """Return the same as a time of day, naive UTC: noon of a January day, and the seconds that have passed."""
        return datetime(2026, 1, 24, 12, 0) + timedelta(seconds=self.seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds


@dataclass
class MemoryClaims:
    """Deduplication claims of one process, for tests of deduplicators.

    Attributes:
        owners: who holds which key.
    """

    owners: dict[bytes, bytes] = field(default_factory=dict)

    def claim(self, keys: Sequence[bytes], owners: Sequence[bytes]) -> list[bool]:
        """Return for every key in turn: True when `owners[i]` holds it now."""
        return [self.owners.setdefault(key, owner) == owner for key, owner in zip(keys, owners, strict=True)]

    def release(self, owners: Sequence[bytes]) -> None:
        """Give up every key that these owners hold."""
        self.owners = {key: owner for key, owner in self.owners.items() if owner not in set(owners)}

    def holders(self, keys: Sequence[bytes]) -> list[bytes]:
        """Return the owner of each key; 8 zero bytes if none holds it."""
        return [self.owners.get(key, bytes(8)) for key in keys]


@dataclass(frozen=True)
class Outcome:
    """Result of an operator on some records.

    Attributes:
        table: the records it passed on.
        metrics: its counts, reasons and custom metrics.
        rejected: rejected records with reason, score and threshold.
        errors: records that it raised for.
    """

    table: pa.Table
    metrics: OperatorMetrics
    rejected: tuple[Exclusion, ...]
    errors: tuple[Exclusion, ...]


def run_operator(name: str, records: Sequence[dict[str, object]] | pa.Table, **params: object) -> Outcome:
    """Run one operator on some records exactly as a pipeline does.

    Args:
        name: as in a configuration: short name or `module:Class`.
        records: rows, or a table; `record_id` is added when missing.
        params: parameters of the operator.
    """
    table = records if isinstance(records, pa.Table) else pa.Table.from_pylist([dict(record) for record in records])
    if RECORD_ID not in table.column_names:
        table = table.append_column(RECORD_ID, pa.array([str(i) for i in range(table.num_rows)], pa.string()))
    component = resolve("operator", name, params, Place(("run_operator",)))
    plan = StagePlan("test", 0, (OperatorPlan(component.name, 0, component),), 1, 1)
    settings = StageSettings(run_id="run_test", custom_metrics=True, samples_per_reason=table.num_rows)
    stage = Stage(plan, "test-0", settings, MemoryClaims())
    batch = stage(Batch("000000-00000", 0, table, table.num_rows))
    stage.close()
    by_kind = {kind: tuple(e for e in batch.exclusions if e.kind == kind) for kind in ("rejected", "error")}
    return Outcome(batch.table, batch.metrics[0], by_kind["rejected"], by_kind["error"])


def finished_run(path: str | Path, run_id: str | None = None, workers: int = 2) -> str:
    """Write the metrics of a small finished run: one stage, two operators, 100 records for each worker.

    Args:
        path: metrics folder.
        run_id: name of the run; made up when not given.
        workers: workers of the stage.

    Returns:
        The run id.
    """
    clock = FakeClock()
    collector = MetricsCollector(run_id, clock=clock)
    with collector.track_run(), collector.track_stage("clean"):
        for worker in range(workers):
            for index, (operator, output) in enumerate((("text_length_filter", 90), ("exact_deduplicator", 81))):
                offered = 100 if index == 0 else 90
                with collector.track_operator(
                    operator, "clean", f"clean-{worker}", stage_index=0, operator_index=index
                ) as op:
                    clock.advance(0.5)
                    op.records(input=offered, output=output, reasons={"rejected": offered - output})
    run = collector.get_run_metrics()
    assert run is not None
    MetricsWriter(path).write_all(run, collector.get_stage_metrics(), collector.get_operator_metrics())
    return collector.run_id
