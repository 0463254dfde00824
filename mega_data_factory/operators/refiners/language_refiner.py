"""Language identification."""

from __future__ import annotations

from typing import Any, ClassVar

import pyarrow as pa

from mega_data_factory.framework.contracts import OperatorContext, Refiner
from mega_data_factory.operators.columns import text_of, with_columns
from mega_data_factory.operators.examples import TEXTS, example_records
from mega_data_factory.operators.parameters import check_count, check_name, check_strings
from mega_data_factory.operators.text.language_model import language_identifier, read_model

_NO_LANGUAGE = "zxx"


class LanguageRefiner(Refiner):
    """Adds the language of the text and how sure the model is, with py3langid.

    The language is an ISO 639-1 code (`en`), or the ISO 639-3 code of a language that has none there. Text without
    anything to go by (empty, digits, emoji) has the language null and the score 0; null text has null in both. Short
    text scores low: filter with `min_score`.

    Args:
        text_column: column that holds the text.
        language_column: column that the code goes to, a string.
        score_column: column that the probability of that language goes to, float64 from 0 to 1.
        max_chars: characters of the text that are looked at, from its beginning; the cost grows with them.
        languages: codes to choose among; None for all that the model knows.
    """

    preload: ClassVar[str] = f"{read_model.__module__}:{read_model.__name__}"

    def __init__(
        self,
        *,
        text_column: str = "text",
        language_column: str = "language",
        score_column: str = "language_score",
        max_chars: int = 1000,
        languages: list[str] | None = None,
    ) -> None:
        self.text_column = check_name("text_column", text_column)
        self.language_column = check_name("language_column", language_column)
        self.score_column = check_name("score_column", score_column)
        self.max_chars = check_count("max_chars", max_chars, least=1)
        self.languages = None if languages is None else check_strings("languages", languages)
        self._identifier: Any = None
        self._clueless = 0.0

    def setup(self, context: OperatorContext) -> None:
        """Load the model, where the worker is not forked from a process that has it.

        Raises:
            ValueError: one of `languages` is not known to the model.
        """
        del context
        self._load()

    def examples(self) -> pa.Table:
        """Return made-up records for a first run."""
        return example_records(TEXTS, self.text_column)

    def refine(self, table: pa.Table) -> pa.Table:
        """Add language and score of every record.

        Raises:
            ConfigError: the table has no such text column.
        """
        if self._identifier is None:
            self._load()
        text = text_of(table, self.text_column).str.slice(0, self.max_chars).to_list()
        found = [(None, None) if item is None else self._classify(item) for item in text]
        columns = {
            self.language_column: pa.array([language for language, _ in found], pa.string()),
            self.score_column: pa.array([score for _, score in found], pa.float64()),
        }
        return with_columns(table, columns)

    def _load(self) -> None:
        self._identifier = language_identifier(self.languages)
        _, self._clueless = self._identifier.classify("")

    def _classify(self, text: str) -> tuple[str | None, float]:
        language, score = self._identifier.classify(text)
        if language == _NO_LANGUAGE or not any(map(str.isalpha, text)):
            return None, 0.0
        if score <= self._clueless and len(self._identifier.nb_classes) > 1:
            return None, 0.0
        return language, float(score)
