"""Steps given to `map` and `filter` of Hugging Face datasets and streams, in one process."""

from __future__ import annotations

import functools
import gc
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from datasets import Dataset, DatasetDict, IterableDataset, disable_progress_bars, enable_progress_bars, load_from_disk

import mega_data_factory as mdf
from mega_data_factory.framework.contracts import Filter, Judgement
from mega_data_factory.framework.metrics import MetricsWriter
from tests.observe.runs import flow, rows_of, run_row

RECORDS = 100


def measure(record: dict[str, Any]) -> dict[str, Any]:
    return {"length": len(record["text"])}


def measure_batch(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {"length": [len(text) for text in batch["text"]]}


def is_even(record: dict[str, Any]) -> bool:
    return bool(record["length"] % 2 == 0)


def are_even(batch: dict[str, list[Any]]) -> list[bool]:
    return [length % 2 == 0 for length in batch["length"]]


@pytest.fixture(autouse=True)
def no_progress_bars() -> Iterator[None]:
    disable_progress_bars()
    yield
    enable_progress_bars()


@pytest.fixture
def texts(tmp_path: Path) -> Dataset:
    """Texts of 0 to 9 letters, on disk, so that results are cached."""
    Dataset.from_dict({"text": ["x" * (i % 10) for i in range(RECORDS)], "page": list(range(RECORDS))}).save_to_disk(
        str(tmp_path / "texts")
    )
    return load_from_disk(str(tmp_path / "texts"))


@pytest.fixture
def observed(tmp_path: Path) -> Any:
    return functools.partial(mdf.observe, "texts", metrics=tmp_path / "metrics", node_interval=0)


def notes(folder: Path, run_id: str) -> list[str]:
    found: list[str] = run_row(folder, run_id)["config"]["observed"].get("notes", [])
    return found


def examples(folder: Path) -> set[str]:
    """Return the reasons of the rejected records that are kept as examples."""
    lines = [line for f in (folder / "records" / "rejected").rglob("*.jsonl") for line in f.read_text().splitlines()]
    assert len(lines) == 3
    return {json.loads(line)["reason"] for line in lines}


@pytest.mark.parametrize("batched", [False, True])
def test_map_and_filter_are_counted_with_reasons(texts: Dataset, observed: Any, tmp_path: Path, batched: bool) -> None:
    with observed() as run:
        step = run.step(measure_batch if batched else measure, name="measure", stage="clean")
        measured = texts.map(step, batched=batched, batch_size=30)
        judge = run.step(are_even if batched else is_even, name="judge", reason="odd")
        kept = measured.filter(judge, batched=batched, batch_size=30)
    rows = rows_of(tmp_path / "metrics", run.run_id)
    assert len(kept) == 50
    assert flow(rows["measure"]) == (100, 100, 0, 0)
    assert flow(rows["judge"]) == (100, 50, 50, 0)
    assert rows["judge"].rejected_reasons == {"odd": 50}
    assert rows["judge"].latency_histogram.total == 100
    assert rows["measure"].batches == (4 if batched else 100)
    assert examples(tmp_path / "metrics") == {"odd"}
    described = run_row(tmp_path / "metrics", run.run_id)
    assert described["engine"].startswith("datasets ")
    assert (described["balanced"], described["retried_batches"]) == (True, 0)
    assert set(described["config"]["observed"]["guarantees"]["datasets"]) >= {"worker kill", "re-execution"}


def test_an_observed_function_has_the_fingerprint_of_the_function(texts: Dataset, observed: Any) -> None:
    """Neither the run nor being observed changes a fingerprint, so that what is cached stays valid."""
    with observed() as first:
        one = texts.map(first.step(measure, stage="a", reason="b")).filter(first.step(is_even))
    with observed() as second:
        two = texts.map(second.step(measure)).filter(second.step(is_even, name="other"))
    plain = texts.map(measure).filter(is_even)
    assert one._fingerprint == two._fingerprint == plain._fingerprint


def test_a_function_that_rejects_by_the_run_has_the_same_fingerprint_in_every_run(
    texts: Dataset, observed: Any, tmp_path: Path
) -> None:
    found = set()
    for _ in range(2):
        with observed() as run:

            def judge(record: Any, run: Any = run) -> bool:
                if record["text"]:
                    return True
                run.reject(record, "empty")
                mdf.observe.report("empty", 1)
                return False

            found.add(texts.filter(run.step(judge))._fingerprint)
        row = rows_of(tmp_path / "metrics", run.run_id)["judge"]
        assert row.rejected_reasons == {"empty": 10}
        assert row.custom_metrics["empty"] == 10
    assert len(found) == 1


def test_a_cached_result_counts_as_in_the_run_that_filled_the_cache(
    texts: Dataset, observed: Any, tmp_path: Path
) -> None:
    counts = []
    for reason in ("odd", "odd", "uneven"):
        with observed() as run:
            kept = texts.map(run.step(measure, text="text")).filter(run.step(is_even, reason=reason))
        assert len(kept) == 50
        rows = rows_of(tmp_path / "metrics", run.run_id)
        assert rows["is_even"].rejected_reasons == {reason: 50}
        counts.append((flow(rows["measure"]), flow(rows["is_even"]), rows["measure"].input_text_bytes))
        assert run_row(tmp_path / "metrics", run.run_id)["balanced"]
        if len(counts) == 1:
            first = run.run_id
            assert not notes(tmp_path / "metrics", run.run_id)
        else:
            said = notes(tmp_path / "metrics", run.run_id)
            assert len(said) == 2
            assert all("100 records were not processed, their result is cached" in note for note in said)
            assert all(first in note for note in said)
            workers = {
                row["worker_id"] for row in MetricsWriter(tmp_path / "metrics").read_operator_metrics(run.run_id)
            }
            assert workers == {"cached"}
    assert counts == [((100, 100, 0, 0), (100, 50, 50, 0), 450)] * 3


def test_what_was_cached_before_it_was_observed_counts_by_its_rows(
    texts: Dataset, observed: Any, tmp_path: Path
) -> None:
    texts.map(measure).filter(is_even)
    with observed() as run:
        texts.map(run.step(measure)).filter(run.step(is_even, reason="odd"))
    rows = rows_of(tmp_path / "metrics", run.run_id)
    assert flow(rows["measure"]) == (100, 100, 0, 0)
    assert flow(rows["is_even"]) == (100, 50, 50, 0)
    assert rows["is_even"].total_time == 0
    said = notes(tmp_path / "metrics", run.run_id)
    assert len(said) == 2
    assert all("of the rows before and after" in note for note in said)


def test_a_result_that_is_made_again_in_a_run_counts_once(texts: Dataset, observed: Any, tmp_path: Path) -> None:
    with observed() as run:
        step = run.step(measure)
        texts.map(step)
        texts.map(step)  # cached by this run
        texts.map(step, load_from_cache_file=False)
    assert flow(rows_of(tmp_path / "metrics", run.run_id)["measure"]) == (100, 100, 0, 0)
    assert run_row(tmp_path / "metrics", run.run_id)["retried_batches"] == 1


def test_two_datasets_of_a_dictionary_add_up(texts: Dataset, observed: Any, tmp_path: Path) -> None:
    both = DatasetDict({"train": texts, "test": texts.select(range(10))})
    with observed() as run:
        both.map(run.step(measure))
    assert flow(rows_of(tmp_path / "metrics", run.run_id)["measure"]) == (110, 110, 0, 0)


def test_a_record_of_lists_is_one_record_and_a_batch_of_one_column_is_many(observed: Any, tmp_path: Path) -> None:
    tokens = Dataset.from_dict({"ids": [[1, 2, 3], [4, 5, 6]], "mask": [[1, 1, 1], [1, 1, 0]]})
    with observed() as run:
        tokens.map(run.step(lambda record: {"ids": record["ids"]}, name="single"))
        tokens.map(run.step(lambda batch: {"ids": batch["ids"]}, name="batch"), batched=True)
        tokens.map(run.step(lambda _: None, name="nothing", reason="never"), batched=True)
        tokens.map(run.step(lambda _: {}, name="empty", reason="never"), batched=True)
    rows = rows_of(tmp_path / "metrics", run.run_id)
    assert {name: flow(row) for name, row in rows.items()} == dict.fromkeys(rows, (2, 2, 0, 0))
    assert len(rows) == 4


def test_fewer_and_more_records_out_of_a_batch(texts: Dataset, observed: Any, tmp_path: Path) -> None:
    def drop_empty(batch: Any) -> dict[str, Any]:
        return {"text": [text for text in batch["text"] if text]}

    def twice(batch: Any) -> dict[str, Any]:
        return {"text": batch["text"] * 2}

    with observed() as run:
        short = texts.map(run.step(drop_empty, reason="empty"), batched=True, remove_columns=texts.column_names)
        short.map(run.step(twice), batched=True)
    rows = rows_of(tmp_path / "metrics", run.run_id)
    assert flow(rows["drop_empty"]) == (100, 90, 10, 0)
    assert rows["drop_empty"].rejected_reasons == {"empty": 10}
    assert rows["twice"].output_records == 180
    assert rows["twice"].unbalanced_records == 0


def test_columns_that_the_function_does_not_look_at_are_not_made(texts: Dataset, observed: Any) -> None:
    seen = []

    def look(batch: Any) -> Any:
        seen.append(set(batch.keys_to_format))
        batch["page"] = [0] * len(batch["text"])
        return batch

    def look_again(batch: Any) -> dict[str, Any]:
        return {"page": batch["page"]}

    with observed() as run:
        texts.map(run.step(look), batched=True, batch_size=50)
        texts.map(run.step(look_again), batched=True)
    assert seen == [{"text", "page"}] * 2


@pytest.mark.parametrize("kind", [None, "arrow", "pandas", "numpy"])
def test_every_format_is_counted(texts: Dataset, observed: Any, tmp_path: Path, kind: str | None) -> None:
    def first_half(batch: Any) -> Any:
        if kind == "arrow":
            return batch.slice(0, batch.num_rows // 2)
        if kind == "pandas":
            return batch.iloc[: len(batch) // 2]
        return {name: batch[name][: len(batch[name]) // 2] for name in ("text", "page")}

    with observed() as run:
        half = texts.with_format(kind).map(run.step(first_half, reason="second"), batched=True, batch_size=10)
    assert len(half) == 50
    assert flow(rows_of(tmp_path / "metrics", run.run_id)["first_half"]) == (100, 50, 50, 0)


def test_indices_ranks_and_columns_are_passed_on(texts: Dataset, observed: Any, tmp_path: Path) -> None:
    def of_columns(text: str, page: int, index: int, rank: int | None, *, add: int) -> dict[str, Any]:
        assert (page, rank) == (index, None)
        return {"sum": len(text) + index + add}

    with observed() as run:
        summed = texts.map(
            run.step(of_columns),
            input_columns=["text", "page"],
            with_indices=True,
            with_rank=True,
            fn_kwargs={"add": 1},
        )
        kept = texts.filter(
            run.step(lambda page, index: [i % 2 == 0 for i in index], name="half"),
            input_columns="page",
            with_indices=True,
            batched=True,
        )
    assert summed["sum"][11] == 1 + 11 + 1
    assert len(kept) == 50
    rows = rows_of(tmp_path / "metrics", run.run_id)
    assert flow(rows["of_columns"]) == (100, 100, 0, 0)
    assert flow(rows["half"]) == (100, 50, 50, 0)


def test_masks_of_every_kind_decide(texts: Dataset, observed: Any, tmp_path: Path) -> None:
    masks: dict[str, Any] = {
        "list": lambda b: [len(t) > 4 for t in b["text"]],
        "numbers": lambda b: [len(t) // 5 for t in b["text"]],
        "numpy": lambda b: np.array([len(t) > 4 for t in b["text"]]),
        "arrow": lambda b: pa.array([len(t) > 4 for t in b["text"]]),
    }
    with observed() as run:
        for name, mask in masks.items():
            assert len(texts.filter(run.step(mask, name=name), batched=True)) == 50
        texts.filter(run.step(lambda r: np.bool_(len(r["text"]) > 4), name="single numpy"))
        texts.filter(run.step(lambda r: len(r["text"]) // 5, name="single number"))
    rows = rows_of(tmp_path / "metrics", run.run_id)
    assert {name: flow(row) for name, row in rows.items()} == dict.fromkeys(rows, (100, 50, 50, 0))
    assert len(rows) == 6


def test_a_step_rejects_by_name_and_reports_numbers(texts: Dataset, observed: Any, tmp_path: Path) -> None:
    def judge(record: Any) -> bool:
        run.report("letters", len(record["text"]))
        if len(record["text"]) < 2:
            run.reject(record, "short")
            return False
        return len(record["text"]) < 8

    with observed() as run:
        texts.filter(run.step(judge, reason="long"))
    row = rows_of(tmp_path / "metrics", run.run_id)["judge"]
    assert flow(row) == (100, 60, 40, 0)
    assert row.rejected_reasons == {"short": 20, "long": 20}
    assert row.custom_metrics["letters"] == 450


class MinLength(Filter):
    """Rejects short texts."""

    def judge(self, table: pa.Table) -> Judgement:
        short = pc.less(pc.utf8_length(table["text"]), 5)
        return (
            Judgement.by_mask(pc.invert(short), "short")
            if hasattr(Judgement, "by_mask")
            else Judgement(pc.if_else(short, pa.scalar("short"), pa.scalar(None, pa.string())))
        )


@pytest.mark.parametrize("batched", [False, True])
def test_our_operators_are_steps(texts: Dataset, observed: Any, tmp_path: Path, batched: bool) -> None:
    only_text = texts.remove_columns("page")
    with observed() as run:
        kept = only_text.filter(run.step(MinLength(), name="min_length"), batched=batched)
        if batched:
            mapped = only_text.map(run.step(MinLength(), name="mapped"), batched=True)
            assert len(mapped) == 50
    assert len(kept) == 50
    for row in rows_of(tmp_path / "metrics", run.run_id).values():
        assert flow(row) == (100, 50, 50, 0)
        assert row.rejected_reasons == {"short": 50}


def test_skip_leaves_out_the_records_that_raise(texts: Dataset, observed: Any, tmp_path: Path) -> None:
    def invert(batch: Any) -> dict[str, Any]:
        return {"inverse": [1 / len(text) for text in batch["text"]]}

    with observed() as run:
        kept = texts.filter(run.step(lambda r: 1 / len(r["text"]) < 2, name="single", on_error="skip"))
        inverse = texts.map(
            run.step(invert, on_error="skip"), batched=True, batch_size=20, remove_columns=texts.column_names
        )
    assert (len(kept), len(inverse)) == (90, 90)
    rows = rows_of(tmp_path / "metrics", run.run_id)
    assert flow(rows["single"]) == (100, 90, 0, 10)
    assert flow(rows["invert"]) == (100, 90, 0, 10)


def test_skip_is_refused_where_map_keeps_every_record(texts: Dataset, observed: Any) -> None:
    with observed() as run:
        with pytest.raises(ValueError, match=r"use map\(\.\.\., batched=True\)"):
            texts.map(run.step(measure, on_error="skip"))
        with pytest.raises(ValueError, match=r"use map\(\.\.\., batched=True\)"):
            texts.to_iterable_dataset().map(run.step(measure, on_error="skip"))


def test_an_error_is_counted_and_passes(texts: Dataset, observed: Any, tmp_path: Path) -> None:
    def fail(record: Any) -> None:
        if record["page"] == 42:
            raise KeyError("forty-two")

    with pytest.raises(KeyError, match="forty-two"), observed() as run:
        texts.map(run.step(fail))
    assert flow(rows_of(tmp_path / "metrics", run.run_id)["fail"]) == (43, 42, 0, 1)
    assert run_row(tmp_path / "metrics", run.run_id)["status"] == "failed"


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # datasets does not close its event loop
def test_coroutine_functions_are_awaited(texts: Dataset, observed: Any, tmp_path: Path) -> None:
    async def fetch(record: Any) -> dict[str, Any]:
        return {"length": len(record["text"])}

    async def decide(record: Any) -> bool:
        return len(record["text"]) > 4

    with observed() as run:
        fetched = texts.map(run.step(fetch))
        kept = texts.filter(run.step(decide, reason="short"))
        assert len(list(texts.to_iterable_dataset().map(run.step(fetch, name="streamed")))) == 100
    assert fetched["length"][7] == 7
    assert len(kept) == 50
    rows = rows_of(tmp_path / "metrics", run.run_id)
    assert flow(rows["fetch"]) == flow(rows["streamed"]) == (100, 100, 0, 0)
    assert flow(rows["decide"]) == (100, 50, 50, 0)
    gc.collect()


def stream_of(texts: Dataset, run: Any) -> IterableDataset:
    stream = texts.to_iterable_dataset().map(run.step(measure))
    stream = stream.map(run.step(measure_batch), batched=True, batch_size=30)
    return stream.filter(run.step(is_even, reason="odd"))


def test_a_stream_counts_once_however_often_it_is_iterated(texts: Dataset, observed: Any, tmp_path: Path) -> None:
    with observed() as run:
        stream = stream_of(texts, run)
        next(iter(stream))  # a look at the first record
        assert len(list(stream)) == len(list(stream)) == 50
        assert sum(len(batch["page"]) for batch in stream.iter(batch_size=7)) == 50
        assert len(list(stream.take(3))) == 3
    rows = rows_of(tmp_path / "metrics", run.run_id)
    assert flow(rows["measure"]) == flow(rows["measure_batch"]) == (100, 100, 0, 0)
    assert flow(rows["is_even"]) == (100, 50, 50, 0)
    assert rows["is_even"].rejected_reasons == {"odd": 50}
    assert rows["measure_batch"].batches == 4
    assert any("more than once" in note for note in notes(tmp_path / "metrics", run.run_id))


def test_two_streams_side_by_side_add_up(texts: Dataset, observed: Any, tmp_path: Path) -> None:
    with observed() as run:
        step = run.step(measure)
        one, two = texts.to_iterable_dataset().map(step), texts.select(range(10)).to_iterable_dataset().map(step)
        assert len(list(zip(one, two, strict=False))) == 10
    assert rows_of(tmp_path / "metrics", run.run_id)["measure"].input_records == 21  # zip looks once further


def test_a_step_within_the_function_of_a_map_is_counted_by_call(texts: Dataset, observed: Any, tmp_path: Path) -> None:
    with observed() as run:
        inner = run.step(len, name="inner")
        texts.map(lambda record: {"length": inner(record["text"])})
    assert flow(rows_of(tmp_path / "metrics", run.run_id)["inner"]) == (100, 100, 0, 0)


def test_the_methods_of_datasets_are_back_after_the_run(texts: Dataset, observed: Any) -> None:
    before = Dataset.__dict__["map"], Dataset.__dict__["_map_single"], IterableDataset.__dict__["__iter__"]
    with observed() as outer:
        with observed() as inner:
            texts.map(inner.step(measure))
        assert Dataset.__dict__["map"] is not before[0]
        texts.map(outer.step(measure))
    assert before == (
        Dataset.__dict__["map"],
        Dataset.__dict__["_map_single"],
        IterableDataset.__dict__["__iter__"],
    )
