"""Small pipelines and their parts, for the tests of the framework."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import settings

from mega_data_factory.framework.batch import Batch
from mega_data_factory.framework.contracts import Deduplicator, Filter, Judgement, Loader, Refiner, Rule, Split, Writer
from mega_data_factory.framework.plan import OperatorPlan, StagePlan
from mega_data_factory.framework.registry import Component
from mega_data_factory.framework.worker.claims import ClaimShard, Send, ShardedClaims
from mega_data_factory.framework.worker.quarantine import TimedOut, WorkerDied
from mega_data_factory.framework.worker.stage import Stage, StageSettings

HERE = __name__

MANY = settings(max_examples=40, deadline=None)
"""Enough cases for every test run; no deadline, because the machine may be busy."""


class Marking(Refiner):
    """Adds a column, counts what it sees, and raises on every record whose text holds the word."""

    def __init__(self, *, word: str = "BAD") -> None:
        self.word = word

    def refine(self, table: pa.Table) -> pa.Table:
        rows: Any = np.int64(table.num_rows)  # as libraries count
        self.report("seen", rows)
        self.notice("noticed", rows)
        if any(self.word in text for text in table.column("text").to_pylist()):
            raise ValueError(f"cannot digest\n{self.word}")
        return table.append_column("marked", pa.repeat(pa.scalar(True), table.num_rows))


class Long(Filter):
    """Rejects texts shorter than `min_length`, and raises on `word`."""

    def __init__(self, *, min_length: int = 3, word: str = "BAD") -> None:
        self.min_length = min_length
        self.word = word

    def judge(self, table: pa.Table) -> Judgement:
        if any(self.word in text for text in table.column("text").to_pylist()):
            raise KeyError(self.word)
        lengths = pc.utf8_length(table.column("text"))
        return Judgement.of(
            table.num_rows, [Rule("short", pc.less(lengths, self.min_length), lengths, self.min_length)]
        )


class EqualTexts(Deduplicator):
    """Rejects equal texts, and raises on `BAD`."""

    def keys(self, table: pa.Table) -> list[list[bytes | None]]:
        texts = table.column("text").to_pylist()
        if any("BAD" in text for text in texts):
            raise ValueError("no key")
        return [[text.encode() for text in texts]]


class Forgetful(Refiner):
    """Breaks its contract: gives back one record fewer."""

    def refine(self, table: pa.Table) -> pa.Table:
        return table.slice(1)


class Chunking(Refiner):
    """Breaks its contract: makes two records of each."""

    def refine(self, table: pa.Table) -> pa.Table:
        return pa.concat_tables([table, table])


class Undecided(Filter):
    """Breaks its contract: judges one record fewer."""

    def judge(self, table: pa.Table) -> Judgement:
        return Judgement(pa.nulls(table.num_rows - 1, pa.string()))


class Picky(Filter):
    """Its constructor raises what no caller expects."""

    def __init__(self, *, value: int = 0) -> None:
        raise LookupError(f"nothing under {value}")

    def judge(self, table: pa.Table) -> Judgement:
        raise NotImplementedError


class Lines(Writer):
    """Writes record ids, one per line."""

    suffix = ".ids"

    def write(self, table: pa.Table, sink: BinaryIO) -> None:
        sink.write("\n".join(table.column("record_id").to_pylist()).encode())


class ScriptedLoader(Loader):
    """Reads what it was told: each split is a list of steps, an int for a table of so many rows, a str for a skip."""

    def __init__(self, splits: Sequence[Sequence[int | str]] = ()) -> None:
        super().__init__()
        self.scripts = splits

    def splits(self, batch_size: int) -> Iterator[Split]:
        return (Split({"number": number}) for number in range(len(self.scripts)))

    def read(self, split: Split, batch_size: int) -> Iterator[pa.Table]:
        number = split.params["number"]
        row = 0
        for step in self.scripts[number]:
            if isinstance(step, str):
                self.skip(f"{number}/{step}", "unreadable", step)
                continue
            ids = [f"{number}/{row + i}" for i in range(step)]
            row += step
            yield pa.table({"record_id": pa.array(ids, pa.string())})


class Fragile:
    """Runs a stage as a worker process would: it does the work, then dies of poison, and its answer is lost.

    `SLOW` takes too long in the operator of the number `slow_in`.
    """

    def __init__(self, run: Stage, slow_in: int = 0) -> None:
        self.run = run
        self.slow_in = slow_in
        self.deaths: list[tuple[str, ...]] = []
        self.timeouts: list[int] = []

    def __call__(self, part: Batch, operators: int | None = None, *, too_slow: bool = False) -> Batch:
        reached = operators is None or operators > self.slow_in
        if reached and "SLOW" in part.table.column("text").to_pylist():
            self.timeouts.append(part.table.num_rows)
            raise TimedOut("killed by signal 14")
        result = self.run(part, operators, too_slow=too_slow)
        if "POISON" in part.table.column("text").to_pylist():
            self.deaths.append(tuple(ids(part)))
            raise WorkerDied("killed by signal 9")
        return result


def component(cls: type[Any], **params: Any) -> Component:
    return Component(cls.__name__.lower(), f"{cls.__module__}:{cls.__qualname__}", params)


def stage_plan(*operators: Component, name: str = "quality", index: int = 0) -> StagePlan:
    plans = tuple(OperatorPlan(op.name, place, op) for place, op in enumerate(operators))
    return StagePlan(name, index, plans, 1, 1)


def stage(*operators: Component, name: str = "quality", index: int = 0, claims: Any = None, **settings: Any) -> Stage:
    return Stage(stage_plan(*operators, name=name, index=index), "w0", StageSettings("run-1", **settings), claims)


def table(texts: Iterable[str], first: int = 0) -> pa.Table:
    texts = list(texts)
    ids = [f"r{first + i:04d}" for i in range(len(texts))]
    return pa.table({"record_id": pa.array(ids, pa.string()), "text": pa.array(texts, pa.string())})


def batch(texts: Iterable[str], number: int = 0) -> Batch:
    rows = table(texts, first=number * 1000)
    return Batch(f"000000-{number:05d}", 0, rows, rows.num_rows)


def ids(of: Batch | pa.Table) -> list[str]:
    return list((of.table if isinstance(of, Batch) else of).column("record_id").to_pylist())


def sender(shard: ClaimShard) -> Send:
    def send(verb: str, packed: bytes) -> bytes | None:
        if verb != "release":
            return shard.claim(packed) if verb == "claim" else shard.holders(packed)
        shard.release(packed)
        return None

    return send


@contextmanager
def claims_in(folder: Path, shards: int = 2) -> Iterator[ShardedClaims]:
    with ExitStack() as stack:
        opened = [stack.enter_context(closing(ClaimShard(folder / f"{number}.log"))) for number in range(shards)]
        yield ShardedClaims([sender(shard) for shard in opened])


def pipeline(**sections: Any) -> dict[str, Any]:
    return {
        "data_loader": {"type": "text_loader", "params": {"path": "in.txt"}},
        "stages": [{"name": "quality", "operators": [{"name": f"{HERE}:Long"}]}],
        "data_writer": {"type": f"{HERE}:Lines", "params": {"output_path": "out"}},
        **sections,
    }
