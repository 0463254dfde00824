"""Of every set of equal records exactly one stays, whoever is killed meanwhile."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from mega_data_factory.framework.executor import Executor, Progress
from tests.engines.running import Pipeline, fake, jsonl, stage
from tests.fakes import shard_processes


def test_shards_die_while_they_are_asked(tmp_path: Path) -> None:
    """Claim shards killed just before a batch claims come back with what they knew: one of each text stays."""
    texts = [f"KILL {n}" if n in (150, 350) else f"text {n % 70}" for n in range(500)]
    kills = tmp_path / "kills"
    stages = [stage("only", fake("ShardKillingDedup", folder=str(kills), word="KILL"), num_replicas=2)]
    source = jsonl(tmp_path / "a.jsonl", texts)
    result = Pipeline(tmp_path / "run", source, stages, executor={"batch_size": 50}).run()
    assert result.closed(), result.books
    assert result.texts == sorted(set(texts))
    assert result.count("only/shard_killing_dedup", "rejected_records") == len(texts) - len(set(texts))
    marks = [mark.read_text() for mark in kills.glob("killed-*")]
    assert len(marks) == 2
    assert "2" in marks  # both shards at least once; the second kill may meet one that is not back yet


@pytest.mark.slow
def test_two_deduplicators_do_not_share_claims(tmp_path: Path) -> None:
    """The same text may pass each of two deduplicators: their claims have names of their own."""
    source = jsonl(tmp_path / "a.jsonl", [f"text {n % 20}" for n in range(100)])
    stages = [stage("first", fake("Dedup"), fake("Dedup")), stage("second", fake("Dedup"))]
    result = Pipeline(tmp_path / "run", source, stages, executor={"dedup_num_buckets": 1}).run()
    assert result.closed()
    assert result.texts == sorted({f"text {n}" for n in range(20)})
    assert result.count("first/dedup", "rejected_records") == 80
    assert result.count("first/dedup_2", "rejected_records") == 0
    assert result.count("second/dedup", "rejected_records") == 0


ROWS, KEYS = 60_000, 15_000


class ShardKiller:
    """Kills a claim shard of the run whenever so many more batches have been read."""

    def __init__(self, engine: str, every: int) -> None:
        self.kills = 0
        self._engine = engine
        self._every = every

    def __call__(self, executor: Executor, progress: Progress) -> None:
        if progress.records_read < self._every * (self.kills + 1):
            return
        shards = self._shards()
        if shards:
            os.kill(shards[self.kills % len(shards)].pid, signal.SIGKILL)
            self.kills += 1

    def _shards(self) -> list[psutil.Process]:
        if self._engine == "local":
            return shard_processes(psutil.Process())
        children = psutil.Process().children(recursive=True)
        return [child for child in children if _name(child).startswith("ray::ClaimShard")]


def _name(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@pytest.mark.slow
def test_exact_over_many_kills(tmp_path: Path, engine: str) -> None:
    """60,000 rows with 15,000 keys, workers and shards killed all the while: kept = distinct keys, exactly."""
    texts = [f"key {(n * 7919) % KEYS}" for n in range(ROWS)]
    killer = ShardKiller(engine, every=10_000)
    stages = [
        stage("first", fake("Dedup"), fake("KillOnce", folder=str(tmp_path / "kills-1"), every=2000), num_replicas=2),
        stage("second", fake("KillOnce", folder=str(tmp_path / "kills-2"), every=2500)),
    ]
    pipeline = Pipeline(
        tmp_path / "run",
        jsonl(tmp_path / "a.jsonl", texts),
        stages,
        engine=engine,
        loader={"params": {"split_mb": 0.5}},
        executor={"batch_size": 500, "max_in_flight": 8},
    )
    result = pipeline.run(killer)
    assert result.closed(), result.books
    assert result.texts == sorted(set(texts))
    assert len(result.texts) == KEYS
    assert result.count("first/dedup", "rejected_records") == ROWS - KEYS
    assert killer.kills >= 2
    assert len(list(tmp_path.glob("kills-*/*"))) >= 3  # 13 on average: which records are kept, workers decide
