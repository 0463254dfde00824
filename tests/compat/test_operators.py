"""Operators, loaders and workers over lists of dicts, on the contracts of this package and called by hand."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from mega_data_factory import compat, framework
from mega_data_factory.compat.backend import DedupBackend
from mega_data_factory.compat.operators import CombinedOperator, Deduplicator, Filter, Operator, Refiner
from mega_data_factory.compat.registries import DataWriterRegistry, OperatorRegistry
from mega_data_factory.compat.sources import DataLoader, DataWriter
from mega_data_factory.compat.workers import RayWorker
from mega_data_factory.errors import ConfigError, MissingPackageError, OperatorError
from mega_data_factory.framework import contracts, registry
from mega_data_factory.framework.config.mistakes import Place
from mega_data_factory.framework.contracts import Judgement, OperatorContext, Rule, Split

Record = dict[str, Any]


class Lengths(Refiner):
    """Adds a column."""

    def refine_batch(self, records: list[Record]) -> None:
        for record in records:
            record["length"] = len(record["text"])

    def get_output_schema(self) -> dict[str, pa.DataType]:
        return {"length": pa.int16()}


class Rebuilt(Refiner):
    """Makes new dicts, without the record's name, and of other lengths where it is asked to."""

    def __init__(self, more: int = 0) -> None:
        self.more = more

    def refine_batch(self, records: list[Record]) -> list[Record]:
        return [{"text": record["text"].upper()} for record in records] + [{"text": "new"}] * self.more


class Long(Filter):
    """Keeps long texts; answers too little where it is asked to."""

    def __init__(self, answers: int | None = None) -> None:
        super().__init__(collect_rejected=True)
        self.answers = answers

    def should_keep_batch(self, records: list[Record]) -> list[bool]:
        return [len(record["text"]) > 2 for record in records][: self.answers]


class Texts(Deduplicator):
    """Knows a record by its text; an empty one has no key."""

    def get_dedup_keys_batch(self, records: list[Record]) -> list[str | None]:
        return [record["text"] or None for record in records]


class OverTables(Filter):
    """Has the base of the original and the method of today."""

    def judge(self, table: pa.Table) -> Judgement:
        return Judgement.of(table.num_rows, [Rule("all", pa.array([True] * table.num_rows))])


class Saved(DataWriter):
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def write(self, data: list[Record]) -> None:
        self.records += data


class Claims:
    """Claims of one process."""

    def __init__(self) -> None:
        self.held: dict[bytes, bytes] = {}

    def claim(self, keys: Any, owners: Any) -> list[bool]:
        return [self.held.setdefault(key, owner) == owner for key, owner in zip(keys, owners, strict=True)]

    def release(self, owners: Any) -> None:
        raise NotImplementedError


def table(*texts: str) -> pa.Table:
    ids = [f"r{number}" for number in range(len(texts))]
    return pa.table({"record_id": pa.array(ids, pa.string()), "text": pa.array(texts, pa.large_string())})


def records(*texts: str) -> list[Record]:
    return [{"text": text} for text in texts]


def test_refiners_keep_records_types_and_names() -> None:
    """A declared type is used, columns keep theirs, new dicts get their name back, and no record is added or lost."""
    refined = Lengths().refine(table("a", "bcd"))
    assert refined.column_names == ["record_id", "text", "length"]
    assert refined.schema.field("length").type == pa.int16()
    assert refined.schema.field("text").type == pa.large_string()
    assert refined.column("length").to_pylist() == [1, 3]
    assert Lengths().refine(table()).schema == refined.schema
    assert Rebuilt().refine(table("a", "b")).to_pylist() == [
        {"text": "A", "record_id": "r0"},
        {"text": "B", "record_id": "r1"},
    ]
    with pytest.raises(OperatorError, match="it was given 2 and left 3"):
        Rebuilt(more=1).refine(table("a", "b"))
    with pytest.raises(pa.ArrowInvalid):
        Lengths().refine(table("a" * 40_000))


def test_filters_and_deduplicators_judge_every_record() -> None:
    """A record is `filtered` or a `duplicate`; an operator that does not answer for each record is refused."""
    assert Long().judge(table("a", "bcd")).reason.to_pylist() == ["filtered", None]
    assert Long().judge(table()).reason.to_pylist() == []
    with pytest.raises(OperatorError, match="it was given 2 and returned 1"):
        Long(answers=1).judge(table("a", "b"))
    for method, base, today in (
        ("should_keep_batch", Filter, "judge"),
        ("get_dedup_keys_batch", Deduplicator, "keys"),
        ("refine_batch", Refiner, "refine"),
    ):
        for wrong in (True, "yes", {"a": True}, None):
            made: Any = type("Wrong", (base,), {method: lambda self, records, wrong=wrong: wrong})()
            if (method, wrong) == ("refine_batch", None):  # it has changed the records in place
                assert made.refine(table("a")).num_rows == 1
                continue
            with pytest.raises(OperatorError, match=f"{method} must return a list .* each of its 1 records"):
                getattr(made, today)(table("a"))
    deduplicator = Texts()
    deduplicator.setup(OperatorContext("stage", "texts", "worker", claims=Claims()))
    assert deduplicator.judge(table("a", "b", "a", "", "")).reason.to_pylist() == [None, None, "duplicate", None, None]


def test_classes_are_known_by_the_method_that_they_define() -> None:
    """The old base takes the method over tables as well; the contracts of today are what they were."""
    made: Any = OverTables  # a type checker sees the old method missing
    assert made().judge(table("a")).reason.to_pylist() == ["all"]
    with pytest.raises(TypeError, match="OverTables works on tables: call `judge`"):
        made().process_batch(records("a"))
    bases: tuple[Any, ...] = (Refiner, Filter, Deduplicator)
    for base in bases:
        assert issubclass(base, Operator)
        assert issubclass(base, getattr(contracts, base.__name__))
        with pytest.raises(TypeError, match="abstract"):
            base()
    assert contracts.Filter.__abstractmethods__ == {"judge"}
    assert contracts.Filter is not Filter


def test_operators_can_be_called_by_hand() -> None:
    """`process_batch` gives None for a rejected record, and `get_stats` counts what it was given."""
    both = CombinedOperator([Lengths(), Long()])
    assert both.process_batch(records("a", "bcd")) == [{"text": "bcd", "length": 3}]
    assert (both.get_stats()["input_records"], both.get_stats()["pass_rate"]) == (2, 50.0)
    operator = Long()
    assert operator.get_stats()["throughput"] == 0
    result = operator.process_batch_with_rejected(records("a", "bcd"))
    assert result.passed == records("bcd")
    assert result.rejected == [{"text": "a", "_rejection_details": {"reason": "filtered", "operator": "Long"}}]
    stats = operator.get_stats()
    assert stats["total_time"] > 0
    assert stats["min_latency"] <= stats["avg_latency"] <= stats["max_latency"]
    operator.reset_stats()
    assert operator.get_stats()["input_records"] == 0
    with pytest.raises(RuntimeError, match="no backend"):
        Texts().process_batch(records("a"))
    texts = Texts(DedupBackend())
    assert texts.process_batch(records("a", "a", "", "")) == [{"text": "a"}, None, {"text": ""}, {"text": ""}]
    texts.reset()
    assert texts.process_batch(records("a")) == records("a")
    backend = DedupBackend(track_representative=True)
    assert backend.batch_mark_seen_with_ids(["k", "k"], ["first", "second"]) == [(True, None), (False, "first")]
    assert (backend.is_seen("k"), backend.mark_seen("k")) == (True, False)


def test_a_worker_applies_its_operators() -> None:
    """It writes what passes and what is rejected, and gives the counts of each operator by its class."""
    passed, rejected = Saved(), Saved()
    worker = RayWorker("w", [Lengths(), Long()], passed, rejected, collect_rejected=True)
    assert worker.process_batch_with_records(records("a", "bcd"), should_write=True) == [{"text": "bcd", "length": 3}]
    assert worker.process_batch_with_records(None) is None
    assert passed.records == [{"text": "bcd", "length": 3}]
    assert [record["text"] for record in rejected.records] == ["a"]
    stats = worker.get_operator_stats()
    assert {name: stats[name]["output_records"] for name in stats} == {"Lengths": 2, "Long": 1}
    assert worker.get_rejected_count() == 1


class Files(DataLoader):
    """Loads files of which one has odd records and another raises; never calls the constructor of its base."""

    def __init__(self) -> None:
        self.files = ["good", "odd", "bad"]

    def get_file_list(self, max_samples: int | None = None, num_workers: int = 1) -> list[str]:
        return self.files

    def load_files(
        self, file_list: list[str], worker_id: int | None = None, checkpoint: Record | None = None
    ) -> Iterator[Record]:
        (file,) = file_list
        yield {"n": 1, "record_id": "own"}
        yield {"n": [2] if file == "odd" else 2, "m": "x"}
        if file == "bad":
            raise OSError("damaged")


def test_a_loader_of_files_is_read_in_splits() -> None:
    """One split a file; records are named by file and number; what is damaged is one skipped record."""
    loader = Files()
    splits = list(loader.splits(100))
    assert splits == [Split({"file": name}) for name in ("good", "odd", "bad")]
    assert [part.to_pylist() for part in loader.read(splits[0], 1)] == [
        [{"record_id": "own", "n": 1}],
        [{"record_id": "good#1", "n": 2, "m": "x"}],
    ]
    assert next(iter(loader.read(splits[1], 9))).column("n").to_pylist() == ["1", "[2]"]
    assert loader.take_skipped() == []
    assert sum(part.num_rows for part in loader.read(splits[2], 9)) == 2
    assert [(each.record_id, each.message) for each in loader.take_skipped()] == [("bad#2", "OSError: damaged")]
    assert loader.create_checkpoint(1, 2) == {"shard_id": 1, "records_processed": 2}


def test_registered_names_are_found_in_any_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registered class is named in a configuration as a built-in one; a writer of the original is refused clearly."""
    monkeypatch.setattr(registry, "_REGISTERED", {kind: {} for kind in registry._REGISTERED})
    OperatorRegistry.register("LongTexts", Long)
    DataWriterRegistry.register("Saved", Saved)
    for name in ("LongTexts", "long_texts"):
        assert registry.resolve("operator", name, {"answers": 3}, Place(("stages",))).load() is Long
    assert OperatorRegistry.get("LongTexts") is Long
    with pytest.raises(ConfigError, match="there is no operator `nothing`"):
        OperatorRegistry.get("nothing")
    with pytest.raises(ConfigError, match=r"operator .*Long.* is registered under ''"):
        OperatorRegistry.register("", Long)
    with pytest.raises(ConfigError, match=r"(?s)`Longs` is not a class.*register\('Longs', MyClass\)"):
        OperatorRegistry.register("Longs", Long())  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"`.*:Saved` is not a writer: it must subclass Writer") as refusal:
        registry.resolve("writer", "Saved", {}, Place(("data_writer",)))
    assert "mega_data_factory.framework.contracts" in str(refusal.value)


def test_every_old_name_can_be_imported_from_framework() -> None:
    """`from mega_data_factory.framework import …` knows the old names; another is an AttributeError."""
    names = """
    Executor PipelineConfig Operator Refiner Filter Deduplicator CombinedOperator BatchResult DataLoader DataWriter
    OperatorRegistry DataLoaderRegistry DataWriterRegistry DedupBackend RayWorker OperatorConfig StageConfig
    StageWorkerConfig DataLoaderConfig DataWriterConfig ExecutorConfig RejectedSamplesConfig WorkerBatchResult
    """
    for name in names.split():
        assert getattr(framework, name).__name__ == name
    everything: dict[str, Any] = {}
    exec("from mega_data_factory.framework import *", everything)
    assert {*names.split()} <= {*everything}
    assert {name for name in compat.HOMES if getattr(compat, name).__name__ != name} == set()
    with pytest.raises(AttributeError, match="no attribute 'Refinery'"):
        _ = framework.Refinery


def test_a_class_of_a_notebook_travels_with_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """What workers cannot import is packed; what cannot be packed, or without a package for it, is one error."""
    made = type("Noted", (OverTables,), {"__module__": "__main__"})
    monkeypatch.setattr(sys.modules["__main__"], "Noted", made, raising=False)
    found = registry.resolve("operator", "__main__:Noted", {}, Place(("stages", 0)))
    assert found.code
    assert found.build().judge(table("a")).reason.to_pylist() == ["all"]
    assert registry.resolve("operator", "text_length_filter", {}, Place(("stages", 0))).code == ""
    locked = type("Noted", (OverTables,), {"__module__": "__main__", "lock": threading.Lock()})
    monkeypatch.setattr(sys.modules["__main__"], "Noted", locked)
    with pytest.raises(ConfigError, match="cannot be sent to them") as refused:
        registry.resolve("operator", "__main__:Noted", {}, Place(("stages", 0)))
    assert "my_operators:Noted" in str(refused.value)
    for package in ("cloudpickle", "ray"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackageError, match=r"the class `Noted` of a notebook needs the package cloudpickle"):
        registry.resolve("operator", "__main__:Noted", {}, Place(("stages", 0)))
