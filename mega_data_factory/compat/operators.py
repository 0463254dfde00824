"""Operators over lists of dicts, as the original had them, on the contracts of this package.

They run in every pipeline like operators over tables, with the same metrics and books, but build a dict per record,
which costs more than most work on it. A class that defines the method of `mega_data_factory.framework.contracts`
instead (`refine`, `judge`, `keys`) is an operator over tables.
"""

from __future__ import annotations

import reprlib
import time
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pyarrow as pa

from mega_data_factory.compat.backend import DedupBackend
from mega_data_factory.compat.statistics import BatchStatistics
from mega_data_factory.errors import OperatorError
from mega_data_factory.framework import contracts
from mega_data_factory.framework.contracts import RECORD_ID, Judgement, Rule
from mega_data_factory.framework.rowwise import table_of

Record: TypeAlias = dict[str, Any]


@dataclass
class BatchResult:
    """Records that an operator passed on, and those that it rejected.

    Attributes:
        passed: Records that passed.
        rejected: Copies of the others, with the key `_rejection_details`.
    """

    passed: list[Record] = field(default_factory=list)
    rejected: list[Record] = field(default_factory=list)


class Operator(contracts.Operator):
    """Base of operators over lists of dicts. Subclass `Refiner`, `Filter` or `Deduplicator` for a pipeline.

    Args:
        collect_rejected: accepted and ignored: `executor.rejected_samples` decides what is kept of rejected records.
    """

    rejection = "filtered"
    """Reason of rejected records."""

    def __init__(self, collect_rejected: bool = False) -> None:
        self._collect_rejected = collect_rejected

    def get_output_schema(self) -> dict[str, pa.DataType]:
        """Return the Arrow types of the columns that the operator adds."""
        return {}

    def process_batch(self, records: list[Record]) -> list[Record | None]:
        """Apply the operator outside of a pipeline; return the records, None for each that it rejects."""
        started = time.perf_counter()
        results = self._process_batch_impl(records)
        passed = sum(record is not None for record in results)
        self._statistics.add(len(records), passed, time.perf_counter() - started)
        return results

    def process_batch_with_rejected(self, records: list[Record]) -> BatchResult:
        """Apply the operator outside of a pipeline; return what it passes and what it rejects."""
        offered = list(records)
        results = self.process_batch(records)
        details = {"reason": self.rejection, "operator": type(self).__name__}
        kept = [record for record in results if record is not None]
        if len(results) != len(offered):
            return BatchResult(kept)
        lost = [record for record, result in zip(offered, results, strict=True) if result is None]
        return BatchResult(kept, [{**record, "_rejection_details": dict(details)} for record in lost])

    @abstractmethod
    def _process_batch_impl(self, records: list[Record]) -> list[Record | None]:
        """Return the records, None in place of each that is rejected."""

    def get_stats(self) -> dict[str, float]:
        """Return counts and latencies of `process_batch`, as `BatchStatistics.as_dict` names them."""
        return self._statistics.as_dict()

    def reset_stats(self) -> None:
        """Forget the counts of `process_batch`."""
        self.__dict__.pop("_batch_statistics", None)

    @property
    def _statistics(self) -> BatchStatistics:
        """Counts so far; made when first used, since subclasses need not call this constructor."""
        found: BatchStatistics = self.__dict__.setdefault("_batch_statistics", BatchStatistics())
        return found


class Refiner(Operator, contracts.Refiner):
    """Changes or adds columns, a list of dicts at a time."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _accept_tables(cls, "refine", "refine_batch")

    @abstractmethod
    def refine_batch(self, records: list[Record]) -> Any:
        """Change the records in place, or return as many new ones in the same order.

        A key that only some records have is null in the others.
        """

    def refine(self, table: pa.Table) -> pa.Table:
        """Refine the records of a table.

        Raises:
            OperatorError: there are more or fewer records than before.
            ArrowInvalid: a value is not of the type that `get_output_schema` gives it.
        """
        return table_of(self._refined(table.to_pylist()), table.schema, self.get_output_schema())

    def _refined(self, records: list[Record]) -> list[Record]:
        if not records:
            return []
        ids = [record.get(RECORD_ID) for record in records]
        returned = self.refine_batch(records)
        refined = records if returned is None else _listed("refine_batch", returned, len(ids))
        if len(refined) != len(ids):
            raise OperatorError(
                f"refine_batch must keep every record; it was given {len(ids)} and left {len(refined)}",
                hint="to leave records out, write a Filter",
            )
        for record, record_id in zip(refined, ids, strict=True):
            if record_id is not None:
                record.setdefault(RECORD_ID, record_id)  # dicts that were made new do not have it
        return refined

    def _process_batch_impl(self, records: list[Record]) -> list[Record | None]:
        return list(self._refined(records))


class Filter(Operator, contracts.Filter):
    """Rejects records, a list of dicts at a time; the reason is `filtered`."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _accept_tables(cls, "judge", "should_keep_batch")

    @abstractmethod
    def should_keep_batch(self, records: list[Record]) -> Sequence[bool]:
        """Return for every record whether it stays. Changes to the records are dropped: a `Refiner` makes them."""

    def judge(self, table: pa.Table) -> Judgement:
        """Judge the records of a table.

        Raises:
            OperatorError: there is not one answer for each record.
        """
        dropped = [not keep for keep in self._decided(table.to_pylist())]
        return Judgement.of(table.num_rows, [Rule(self.rejection, pa.array(dropped, pa.bool_()))])

    def _decided(self, records: list[Record]) -> list[bool]:
        keeps = self.should_keep_batch(records) if records else []
        return [bool(keep) for keep in _one_each("should_keep_batch", keeps, len(records))]

    def _process_batch_impl(self, records: list[Record]) -> list[Record | None]:
        keeps = self._decided(records)
        return [record if keep else None for record, keep in zip(records, keeps, strict=True)]


class Deduplicator(Operator, contracts.Deduplicator):
    """Rejects a record whose key another record has already; the reason is `duplicate`.

    In a pipeline the keys are shared by all workers, and a retried batch claims the same keys again.

    Args:
        backend: what `process_batch` remembers keys in; a pipeline does not use it.
        representative_id_field: accepted and ignored: the reject ledger (`mdf rejects`) names the record that was kept.
    """

    rejection = "duplicate"

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _accept_tables(cls, "keys", "get_dedup_keys_batch")

    def __init__(self, backend: DedupBackend | None = None, representative_id_field: str = "id") -> None:
        super().__init__()
        self.backend = backend
        self.representative_id_field = representative_id_field

    @abstractmethod
    def get_dedup_keys_batch(self, records: list[Record]) -> Sequence[str | None]:
        """Return the key of every record; None for a record that always stays."""

    def keys(self, table: pa.Table) -> Sequence[Sequence[bytes | None]]:
        """Return one band of keys.

        Raises:
            OperatorError: there is not one key for each record.
        """
        keys = self._found(table.to_pylist())
        return [[None if key is None else str(key).encode("utf-8", "surrogatepass") for key in keys]]

    def reset(self) -> None:
        """Forget the keys of the backend."""
        if self.backend is not None:
            self.backend.reset()

    def _found(self, records: list[Record]) -> list[str | None]:
        keys = self.get_dedup_keys_batch(records) if records else []
        return _one_each("get_dedup_keys_batch", keys, len(records))

    def _process_batch_impl(self, records: list[Record]) -> list[Record | None]:
        if self.backend is None:
            raise RuntimeError("this deduplicator has no backend: give it one, `DedupBackend()`")
        keys = self._found(records)
        new = iter(self.backend.batch_mark_seen([key for key in keys if key is not None]))
        return [record if key is None or next(new) else None for record, key in zip(records, keys, strict=True)]


class CombinedOperator(Operator):
    """Several operators as one, outside of a pipeline. In a configuration list them in a stage.

    Args:
        operators: what is applied, in order.
        collect_rejected: accepted and ignored.
    """

    def __init__(self, operators: list[Operator], collect_rejected: bool = False) -> None:
        super().__init__(collect_rejected)
        self.operators = operators

    def _process_batch_impl(self, records: list[Record]) -> list[Record | None]:
        left: list[Record | None] = list(records)
        for operator in self.operators:
            left = list(operator.process_batch([record for record in left if record is not None]))
        return [record for record in left if record is not None]


def _accept_tables(cls: type[Operator], method: str, old_method: str) -> None:
    """Let a class define the method over tables instead of the old one, which then is no longer missing.

    It is called before the abstract methods of the class are looked for.
    """
    if method in vars(cls) and getattr(getattr(cls, old_method), "__isabstractmethod__", False):

        def unused(self: Operator, _: list[Record]) -> Any:
            raise TypeError(f"{type(self).__name__} works on tables: call `{method}`")

        setattr(cls, old_method, unused)


def _one_each(method: str, returned: Any, records: int) -> list[Any]:
    """Return the answers of a method, one for each record.

    Raises:
        OperatorError: it returned anything else.
    """
    found = _listed(method, returned, records)
    if len(found) != records:
        raise OperatorError(f"{method} must answer for every record; it was given {records} and returned {len(found)}")
    return found


def _listed(method: str, returned: Any, records: int) -> list[Any]:
    if isinstance(returned, str | bytes | Mapping) or not isinstance(returned, Iterable):
        raise OperatorError(
            f"{method} must return a list with an item for each of its {records} records, not {reprlib.repr(returned)}",
            hint="does every path through it end in `return`?" if returned is None else None,
        )
    return list(returned)
