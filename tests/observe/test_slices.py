"""Observed steps count records, bytes of text and tokens by slice, whatever the form of their records."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import mega_data_factory as mdf
from mega_data_factory.framework.contracts import Judgement, Rule
from mega_data_factory.framework.metrics import MetricsReader
from tests.observe.runs import flow, rows_of

ROWS: list[dict[str, Any]] = [
    {"id": "a", "lang": "de", "n": 3, "text": "äöü", "url": "https://X.org:1/a"},
    {"id": "b", "lang": "en", "n": 5, "text": "ab", "url": "http://u:p@x.org/b"},
    {"id": "c", "lang": "en", "n": 1, "text": "x", "url": "none"},
    {"id": "d", "lang": None, "n": 2, "text": "yz", "url": None},
]

EXPECTED = {
    "de": (1, 1, 0, {}, 6, 6, 3, 3),
    "en": (2, 1, 0, {"few": 1}, 3, 2, 6, 5),
    None: (1, 0, 0, {"few": 1}, 2, 0, 2, 0),
}


def slices(folder: Path, run_id: str, operator: str, by: str = "lang") -> dict[str | None, tuple[Any, ...]]:
    """Return of every slice: in, out, errors, reasons, bytes of text in and out, tokens in and out."""
    found = {}
    for row in MetricsReader(folder).details("slices", run_id).to_pylist():
        if (row["operator_name"], row["slice_by"]) == (operator, by):
            counts = [row[name] for name in ("input_records", "output_records", "error_count")]
            units = [row[f"{way}_{unit}"] for unit in ("text_bytes", "tokens") for way in ("input", "output")]
            reasons = row["rejected_reasons"]
            found[row["slice_value"]] = (*counts, json.loads(reasons), *units)
    return found


def observed(folder: Path, use: Callable[[Any], object], **options: Any) -> str:
    """Run `use` in an observed run, and return the name of the run."""
    with mdf.observe("sliced", metrics=folder, node_interval=0, **options) as run:
        use(run)
        return str(run.run_id)


def arrow(step: Any) -> None:
    for row in ROWS:
        step(pa.Table.from_pylist([row]))


STEPS: dict[str, tuple[Callable[..., Any], Callable[[Any], object]]] = {
    "arrow": (lambda t: t.filter(pc.greater(t["n"], 2)), lambda step: step(pa.Table.from_pylist(ROWS))),
    "several batches": (lambda t: t.filter(pc.greater(t["n"], 2)), arrow),
    "mask": (lambda t: pc.greater(t["n"], 2), lambda step: step(pa.Table.from_pylist(ROWS))),
    "pandas": (lambda f: f[f["n"] > 2], lambda step: step(pd.DataFrame(ROWS))),
    "polars": (lambda f: f.filter(f["n"] > 2), lambda step: step(pl.DataFrame(ROWS))),
    "columns": (
        lambda columns: {k: [v for v, n in zip(c, columns["n"], strict=True) if n > 2] for k, c in columns.items()},
        lambda step: step({name: [row[name] for row in ROWS] for name in ROWS[0]}),
    ),
    "list": (lambda rows: [row for row in rows if row["n"] > 2], lambda step: step([dict(r) for r in ROWS])),
    "records": (lambda row: row["n"] > 2, lambda step: [step(row) for row in ROWS]),
    "stream": (lambda rows: (row for row in rows if row["n"] > 2), lambda step: list(step(iter(ROWS)))),
}


@pytest.mark.parametrize("form", STEPS)
def test_every_form_gives_the_same_slices(tmp_path: Path, form: str) -> None:
    """Bytes and tokens of slices add up to those of the step, which are its row's."""
    function, use = STEPS[form]
    run_id = observed(
        tmp_path,
        lambda run: use(run.step(function, name="keep", reason="few")),
        slice_by=["lang", "domain(url)"],
        text="text",
        tokens="n",
    )
    assert slices(tmp_path, run_id, "keep") == EXPECTED
    hosts = slices(tmp_path, run_id, "keep", "domain(url)")
    assert {host: counts[:2] for host, counts in hosts.items()} == {"x.org": (2, 2), None: (2, 0)}
    row = rows_of(tmp_path, run_id)["keep"]
    assert flow(row) == (4, 2, 2, 0)
    assert (row.input_text_bytes, row.output_text_bytes, row.input_tokens, row.output_tokens) == (11, 8, 11, 8)


def test_reasons_errors_and_functions(tmp_path: Path) -> None:
    """A record has the slice with which it came in; a step may slice otherwise than its run, and by a function."""

    def judged(table: pa.Table) -> Judgement:
        lengths = pc.binary_length(table.column("text")).combine_chunks()
        return Judgement.of(table.num_rows, [Rule("short", pc.less(lengths, 2), lengths, 2, fails="<")])

    def raises(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if any(row["n"] == 5 for row in rows):
            raise ValueError("five")
        for row in rows:
            row["lang"] = "changed"  # in place: what came in is what counts
        return rows

    def named(row: dict[str, Any]) -> list[dict[str, Any]]:
        if row["n"] == 1:
            run_.reject(row, "one")
            return []
        return [row, row]

    def initial(row: dict[str, Any]) -> str:
        return str(row["text"][0])

    run_: Any = None

    def use(run: Any) -> None:
        nonlocal run_
        run_ = run
        run.step(judged)(pa.Table.from_pylist(ROWS))
        run.step(raises, on_error="skip")([dict(row) for row in ROWS])
        step = run.step(named, slice_by=initial)
        for row in ROWS:
            step(row)
        with pytest.raises(ValueError, match="five"):
            run.step(raises, name="fails")([dict(row) for row in ROWS])

    run_id = observed(tmp_path, use, slice_by="lang")
    counts = {
        name: {value: found[:4] for value, found in slices(tmp_path, run_id, name).items()}
        for name in ("judged", "raises", "fails")
    }
    assert counts["judged"] == {"de": (1, 1, 0, {}), "en": (2, 1, 0, {"short": 1}), None: (1, 1, 0, {})}
    assert counts["raises"] == {"de": (1, 1, 0, {}), "en": (2, 1, 1, {}), None: (1, 1, 0, {})}
    assert counts["fails"] == {"de": (1, 0, 1, {}), "en": (2, 0, 2, {}), None: (1, 0, 1, {})}
    assert slices(tmp_path, run_id, "named") == {}
    by_initial = slices(tmp_path, run_id, "named", "initial")
    assert {value: found[:4] for value, found in by_initial.items()} == {
        "ä": (1, 2, 0, {}),
        "a": (1, 2, 0, {}),
        "x": (1, 0, 0, {"one": 1}),
        "y": (1, 2, 0, {}),
    }


def test_pieces_of_datasets_and_tasks_of_datatrove(tmp_path: Path) -> None:
    """Records that these engines hand over one by one, and in batches, have slices too; `map` keeps other columns."""
    from datasets import Dataset, disable_progress_bars
    from datatrove.data import Document
    from datatrove.pipeline.filters.lambda_filter import LambdaFilter

    disable_progress_bars()

    def use(run: Any) -> None:
        records = Dataset.from_list(ROWS)
        for batched in (False, True):
            name = "batches" if batched else "rows"
            judge = (lambda b: [n > 2 for n in b["n"]]) if batched else (lambda r: r["n"] > 2)
            shout = (lambda b: {"text": [t * 2 for t in b["text"]]}) if batched else (lambda r: {"text": r["text"] * 2})
            doubled = records.map(run.step(shout, name=f"{name} twice"), batched=batched)
            doubled.filter(run.step(judge, name=name, reason="few"), batched=batched)
        documents = [Document(row["text"], row["id"], metadata={"lang": row["lang"], "n": row["n"]}) for row in ROWS]
        step = run.pipeline([documents, LambdaFilter(lambda d: d.metadata["n"] > 2)])
        data: Any = None
        for part in step:
            data = part.run(data, 0, 1)
        assert len(list(data)) == 2

    run_id = observed(tmp_path, use, slice_by=["lang"], text="text", tokens="n")
    twice = {
        value: (came, went, errors, reasons, 2 * bytes_in, 2 * bytes_out, *tokens)
        for value, (came, went, errors, reasons, bytes_in, bytes_out, *tokens) in EXPECTED.items()
    }
    for name in ("rows", "batches"):
        assert slices(tmp_path, run_id, name) == twice
        doubled = slices(tmp_path, run_id, f"{name} twice")
        assert doubled["en"] == (2, 2, 0, {}, 3, 6, 6, 6)
    (name,) = [n for n in rows_of(tmp_path, run_id) if "ilter" in n or "ambda" in n]
    found = slices(tmp_path, run_id, name)
    assert {v: (c[:3], *c[4:]) for v, c in found.items()} == {v: (c[:3], *c[4:]) for v, c in EXPECTED.items()}
    assert sum(sum(c[3].values()) for c in found.values()) == 2
