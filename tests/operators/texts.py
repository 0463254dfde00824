"""Tables, shared memory and odd texts for the tests of operators."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from mega_data_factory.catalogue import OPERATORS
from mega_data_factory.framework.contracts import Filter, Operator, OperatorContext

ODD_TEXTS: list[str | None] = [
    None,
    "",
    " ",
    "\n\n \t\r\n",
    "plain words and nothing else",
    "no newline " * 300,
    "x" * 5000,
    "\U0001f600\U0001f601 \U0001f469‍\U0001f467 ok",
    "שלום עולם, זהו משפט בעברית.",
    "مرحبا بالعالم\nهذا نص قصير",  # noqa: RUF001 - Arabic is meant
    "control \x00\x01\x1b[31m characters \x7f here",
    "wide space　between\xa0words and\x85more",
    "我爱北京天安门。天安门上太阳升。",
    "The same line is here.\n" * 20,
    "a\n\nb\n\na\n\nb\n\na",
    "Ünïcödé wörds, “quoted” and — dashed… ",
    "sch\xc3\xb6n &amp; broken caf\xc3\xa9 \u2019",
    "{ javascript lorem ipsum } use cookies.",
]

TOKENIZER = Path(__file__).with_name("tokenizer.json")
"""A tokenizer of six words, which splits at white space."""

MINIMAL: dict[str, dict[str, Any]] = {
    "language_filter": {"languages": ["en"], "min_score": 0.3},
    "token_count_refiner": {"tokenizer": str(TOKENIZER)},
}
"""Parameters of the operators that cannot do without."""


class MemoryClaims:
    """Claims as the contract states them, in a dict."""

    def __init__(self) -> None:
        self.held: dict[bytes, bytes] = {}

    def claim(self, keys: Sequence[bytes], owners: Sequence[bytes]) -> list[bool]:
        return [self.held.setdefault(key, owner) == owner for key, owner in zip(keys, owners, strict=True)]

    def release(self, owners: Sequence[bytes]) -> None:
        gone = set(owners)
        self.held = {key: owner for key, owner in self.held.items() if owner not in gone}


def table_of(texts: Sequence[str | None], **columns: pa.Array) -> pa.Table:
    """A table with `record_id` and `text`."""
    ids = pa.array([f"r{i}" for i in range(len(texts))], pa.string())
    return pa.table({"record_id": ids, "text": pa.array(texts, pa.string()), **columns})


def odd_table() -> pa.Table:
    """A table with every column that an operator of the catalogue reads by default, odd values in all."""
    count = len(ODD_TEXTS)
    urls = [None, "", "not a url", "https://example.com/ü?q=1", "HTTP://USER@Example.COM.:80/x", "mailto:a@b.c"]
    return table_of(
        ODD_TEXTS,
        html=pa.array([None if text is None else f"<p>{text}</p>" for text in ODD_TEXTS], pa.string()),
        url=pa.array([urls[i % len(urls)] for i in range(count)], pa.string()),
        language=pa.array([["en", None, "de", "EN"][i % 4] for i in range(count)], pa.string()),
        language_score=pa.array([[0.9, 0.5, None, 0.1][i % 4] for i in range(count)], pa.float64()),
    )


def class_of(name: str) -> type[Any]:
    """The class behind a short name."""
    module, _, class_name = OPERATORS[name].partition(":")
    found: type[Operator] = getattr(importlib.import_module(module), class_name)
    return found


def ready(name: str, claims: MemoryClaims | None = None, **params: Any) -> Operator:
    """An operator as a worker has it, built with its least parameters and `params`."""
    operator: Operator = class_of(name)(**{**MINIMAL.get(name, {}), **params})
    operator.setup(OperatorContext("stage", name, "worker", claims or MemoryClaims()))
    return operator


def verdicts(name: str, texts: Sequence[str | None], **params: Any) -> list[tuple[str, Any, Any] | None]:
    """What a filter says of each text: None, or (reason, score, threshold); the last two are numbers or None."""
    operator = ready(name, **params)
    assert isinstance(operator, Filter)
    judged = operator.judge(table_of(texts))
    scores = judged.score.to_pylist() if judged.score is not None else [None] * len(texts)
    limits = judged.threshold.to_pylist() if judged.threshold is not None else [None] * len(texts)
    rows = zip(judged.reason.to_pylist(), scores, limits, strict=True)
    return [None if reason is None else (reason, score, limit) for reason, score, limit in rows]


def reasons(name: str, texts: Sequence[str | None], **params: Any) -> list[str | None]:
    """Only the reasons."""
    return [None if verdict is None else verdict[0] for verdict in verdicts(name, texts, **params)]
