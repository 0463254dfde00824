"""Number of tokens of a text, by a tokenizer of Hugging Face."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa

from mega_data_factory.errors import InputError
from mega_data_factory.framework.contracts import OperatorContext, Refiner
from mega_data_factory.operators.columns import text_of, with_columns
from mega_data_factory.operators.examples import TEXTS, example_records
from mega_data_factory.operators.parameters import check_flag, check_name

_TEXTS_AT_ONCE = 32
"""Texts that are encoded in one call: an encoding takes some 100 bytes for each token while it is counted."""


class TokenCountRefiner(Refiner):
    """Adds the number of tokens of the text, counted by a tokenizer of Hugging Face.

    The tokenizer is a file `tokenizer.json` as the library `tokenizers` writes it; nothing is downloaded. Its
    truncation and padding are turned off. Null text has null tokens. Name the column in `executor.metrics.token_column`
    and tokens are counted on every level of the metrics.

    Args:
        tokenizer: path of the file `tokenizer.json`.
        text_column: column that holds the text.
        token_column: column that the number goes to, int64.
        special_tokens: count the tokens that the tokenizer puts around a text, such as a start and an end.
    """

    def __init__(
        self,
        *,
        tokenizer: str,
        text_column: str = "text",
        token_column: str = "n_tokens",  # noqa: S107 - the name of a column
        special_tokens: bool = False,
    ) -> None:
        if not isinstance(tokenizer, str) or not Path(tokenizer).is_file():
            raise ValueError(f"tokenizer is {tokenizer!r}, not a file that can be read; give a tokenizer.json")
        self.tokenizer = tokenizer
        self.text_column = check_name("text_column", text_column)
        self.token_column = check_name("token_column", token_column)
        self.special_tokens = check_flag("special_tokens", special_tokens)
        self._loaded: Any = None

    def setup(self, context: OperatorContext) -> None:
        """Read the tokenizer.

        Raises:
            InputError: the file is not a tokenizer.
        """
        del context
        self._loaded = _load(self.tokenizer)

    def examples(self) -> pa.Table:
        """Return made-up records for a first run."""
        return example_records(TEXTS, self.text_column)

    def refine(self, table: pa.Table) -> pa.Table:
        """Add the number of tokens of every record.

        Raises:
            ColumnError: the table has no such text column.
        """
        if self._loaded is None:
            self._loaded = _load(self.tokenizer)
        text = text_of(table, self.text_column)
        counts: list[int] = []
        for start in range(0, len(text), _TEXTS_AT_ONCE):
            texts = text.slice(start, _TEXTS_AT_ONCE).fill_null("").to_list()
            encodings = self._loaded.encode_batch_fast(texts, add_special_tokens=self.special_tokens)
            counts += map(len, encodings)
        missing = text.is_null().to_numpy()
        return with_columns(table, {self.token_column: pa.array(counts, pa.int64(), mask=missing)})


def _load(path: str) -> Any:
    # A worker is one core of its machine: threads of the library would take those of the others.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # imported here, so that a process which only checks a configuration does not pay for it
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(Path(path).read_text(encoding="utf-8"))
    except Exception as error:  # the library raises plain exceptions
        raise InputError(
            f"{path} cannot be read as a tokenizer: {error}",
            hint="give the file `tokenizer.json` of a fast tokenizer of Hugging Face",
        ) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
