"""Contracts of operators: refiners, filters and deduplicators, and the claims by which the latter agree."""

from __future__ import annotations

import numbers
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

import pyarrow as pa
import xxhash

from mega_data_factory.framework.judgement import Judgement, Rule

RECORD_ID = "record_id"
"""Column that names a record; operators keep it as it is."""


class Claims(Protocol):
    """Shared memory of which record came first with a key; idempotent, so that a retried batch claims the same."""

    def claim(self, keys: Sequence[bytes], owners: Sequence[bytes]) -> list[bool]:
        """Claim the keys in turn; return for each whether its owner holds it now: it was free, or was this owner's."""
        ...

    def release(self, owners: Sequence[bytes]) -> None:
        """Give up every key that these owners hold."""
        ...


class NamedClaims(Claims, Protocol):
    """Claims that also name who holds a key; asked only where rejected records are all kept."""

    def holders(self, keys: Sequence[bytes]) -> list[bytes]:
        """Return the owner of each key; 8 zero bytes if none holds it."""
        ...


@dataclass(frozen=True)
class OperatorContext:
    """Context in which an operator runs; handed to `Operator.setup` once per worker.

    Attributes:
        stage: name of the stage.
        operator: name of this operator instance, distinct within the stage.
        worker_id: name of the worker.
        claims: shared deduplication state, or None if the pipeline has no deduplicator.
        named_claims: the same, where a deduplicator is to name the record that a duplicate lost to; else None.
    """

    stage: str
    operator: str
    worker_id: str
    claims: Claims | None = None
    named_claims: NamedClaims | None = None


class Operator(ABC):  # noqa: B024 - its holes are in its two kinds, Refiner and Filter
    """A step of a stage. Subclass `Refiner`, `Filter` or `Deduplicator`, not this.

    Parameters of the constructor are the operator's `params` in the configuration; they are checked when the
    configuration is, so the constructor must be cheap. Load models in `setup`, which runs once in each worker.
    """

    summary: ClassVar[str] = ""
    """One line for `mdf operators`; the first line of the docstring when empty."""

    preload: ClassVar[str] = ""
    """`module:function` of this package that reads and keeps what workers can share. It is called once, before workers
    are forked; where they are not, `setup` calls it. Its module imports nothing that starts threads, such as polars."""

    def setup(self, context: OperatorContext) -> None:  # noqa: B027 - an optional hook, empty on purpose
        """Prepare for work in a worker: load models, open connections. Called once, before the first batch."""

    def close(self) -> None:  # noqa: B027 - an optional hook, empty on purpose
        """Give back what `setup` took. Not called when the worker is killed."""

    def examples(self) -> pa.Table | None:
        """Return a few made-up records for a first run in each worker, after `setup`; None for no such run.

        A first run loads code, looks up kernels of Arrow and polars, and compiles patterns: 5 to 30 ms of CPU, more
        than a batch takes of most operators, and no batch is charged for it. What the operator decides and reports is
        forgotten; a deduplicator computes keys and claims none. Override it only where running the operator has no
        effect outside of it.
        """
        return None

    def report(self, metric: str, value: float) -> None:
        """Add `value` to a custom metric of this operator; sums add up over batches and workers.

        Report what adds (tokens, cache hits, bytes): of a mean, report numerator and denominator. The numbers appear
        in the `custom_metrics` column when `executor.metrics.collect_custom_metrics` is on.
        """
        reported = self.__dict__.setdefault("_reported", {})
        reported[metric] = reported.get(metric, 0) + _plain(value)

    def notice(self, metric: str, value: float) -> None:
        """Add `value` to a custom metric that is kept also where custom metrics are not collected.

        It is meant for what a finding needs to know; report nothing if there is nothing to say.
        """
        noticed = self.__dict__.setdefault("_noticed", {})
        noticed[metric] = noticed.get(metric, 0) + _plain(value)

    def take_reported(self, *, only_noticed: bool = False) -> dict[str, float]:
        """Remove and return the custom metrics since the last call.

        Args:
            only_noticed: drop those of `report`.
        """
        reported: dict[str, float] = self.__dict__.pop("_reported", {})
        noticed: dict[str, float] = self.__dict__.pop("_noticed", {})
        return noticed if only_noticed else reported | noticed


def _plain(value: float) -> float:
    """Make a number of NumPy one of Python: the account of a batch travels as JSON."""
    return int(value) if isinstance(value, numbers.Integral) else float(value)


class Refiner(Operator):
    """Changes or adds columns; every record that comes in goes out."""

    @abstractmethod
    def refine(self, table: pa.Table) -> pa.Table:
        """Return the table refined: the same records in the same order, `record_id` unchanged."""


class Filter(Operator):
    """Rejects records, each with its reason. The base counts, times and keeps the rejects; the subclass judges."""

    @abstractmethod
    def judge(self, table: pa.Table) -> Judgement:
        """Decide for every record of the table whether it stays."""


class Deduplicator(Filter):
    """Rejects a record when another record holds one of its keys already.

    The keys of a record are claimed in order, and claiming stops at the first that another record holds. So of any
    set of records that share keys, at least one always stays, and the same record claims the same keys again when its
    batch is retried.
    """

    _claims: Claims
    _named_claims: NamedClaims | None = None
    _namespace: str

    def setup(self, context: OperatorContext) -> None:
        """Connect to the shared state; a subclass that overrides this calls it."""
        if context.claims is None:
            raise ValueError(f"{context.operator}: a deduplicator needs shared claims, and this engine gave none")
        self._claims = context.claims
        self._named_claims = context.named_claims
        self._namespace = f"{context.stage}/{context.operator}"

    @abstractmethod
    def keys(self, table: pa.Table) -> Sequence[Sequence[bytes | None]]:
        """Return the keys of every record, as bands: `keys[band][row]`; None if the record has no key in that band.

        Exact deduplication has one band. Keys may have any length.
        """

    def judge(self, table: pa.Table) -> Judgement:
        """Reject every record one of whose keys is held by another record."""
        owners = owner_keys(table)
        duplicate = [False] * table.num_rows
        lost: dict[int, bytes] = {}
        for band_number, band in enumerate(self.keys(table)):
            seed = xxhash.xxh3_64_intdigest(f"{self._namespace}/{band_number}".encode())
            rows = [i for i, key in enumerate(band) if key is not None and not duplicate[i]]
            claimed = [xxhash.xxh3_128_digest(key, seed=seed) for i in rows if (key := band[i]) is not None]
            held = self._claims.claim(claimed, [owners[i] for i in rows])
            for row, key, won in zip(rows, claimed, held, strict=True):
                duplicate[row] = not won
                if not won:
                    lost[row] = key
        judgement = Judgement.of(table.num_rows, [Rule("duplicate", pa.array(duplicate, pa.bool_()))])
        return judgement if self._named_claims is None else replace(judgement, holder=self._holder(duplicate, lost))

    def _holder(self, duplicate: Sequence[bool], lost: Mapping[int, bytes]) -> pa.Array:
        """Return the keys of the records that hold the claims which duplicates have lost."""
        assert self._named_claims is not None
        holders: list[int | None] = [None] * len(duplicate)
        if lost:
            for row, owner in zip(lost, self._named_claims.holders(list(lost.values())), strict=True):
                holders[row] = int.from_bytes(owner, "big") or None  # given up in between: its record died
        return pa.array(holders, pa.uint64())


def owner_keys(table: pa.Table) -> list[bytes]:
    """Return the 8-byte names under which the records of a table hold claims."""
    return [xxhash.xxh3_64_digest(record_id) for record_id in table.column(RECORD_ID).cast(pa.binary()).to_pylist()]
