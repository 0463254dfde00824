"""Numbers of tokens by a tokenizer of Hugging Face."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mega_data_factory.errors import ConfigError, InputError
from mega_data_factory.framework.config.mistakes import Place
from mega_data_factory.framework.contracts import Refiner
from mega_data_factory.framework.registry import resolve
from tests.operators.texts import TOKENIZER, ready, table_of

TEXTS = ["the cat sat", None, "", "the  dog", "on " * 1000, "\u00fc \U0001f600"]


def counts(**params: Any) -> list[int | None]:
    operator = ready("token_count_refiner", **params)
    assert isinstance(operator, Refiner)
    found: list[int | None] = operator.refine(table_of(TEXTS * 20)).column("n_tokens").to_pylist()
    assert found[: len(TEXTS)] * 20 == found, "a text has its number wherever it stands in a batch"
    return found[: len(TEXTS)]


def test_tokens_are_counted() -> None:
    """Every text has the number of its tokens, null where it is null."""
    assert counts() == [3, None, 0, 2, 1000, 2]


def test_special_tokens_count_where_they_are_wanted() -> None:
    """The start that this tokenizer puts before every text is a token more."""
    assert counts(special_tokens=True) == [4, None, 1, 3, 1001, 3]


def test_a_tokenizer_that_truncates_and_pads_counts_all(tmp_path: Path) -> None:
    """What a tokenizer would cut off for a model is in the text all the same, and padding is not."""
    settings = json.loads(TOKENIZER.read_text(encoding="utf-8"))
    settings["truncation"] = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    settings["padding"] = {
        "strategy": {"Fixed": 8},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "[UNK]",
    }
    path = tmp_path / "cutting.json"
    path.write_text(json.dumps(settings), encoding="utf-8")
    assert counts(tokenizer=str(path)) == counts()


def test_a_missing_file_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    """A path that is not a file is refused with the configuration, before anything starts."""
    path = tmp_path / "none.json"
    with pytest.raises(ConfigError, match=r"none\.json.* not a file"):
        resolve("operator", "token_count_refiner", {"tokenizer": str(path)}, Place(("test",)))


@pytest.mark.parametrize("content", ["{}", "no JSON", ""])
def test_a_file_that_is_not_a_tokenizer(tmp_path: Path, content: str) -> None:
    """Another file is named, with what would be right."""
    path = tmp_path / "other.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"other\.json cannot be read as a tokenizer") as raised:
        ready("token_count_refiner", tokenizer=str(path))
    assert "tokenizer.json" in (raised.value.hint or "")
