"""Only these languages."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pyarrow as pa

from mega_data_factory.errors import ConfigError
from mega_data_factory.framework.contracts import Filter, Judgement, Rule
from mega_data_factory.operators.columns import column_of, text_of
from mega_data_factory.operators.examples import example_records
from mega_data_factory.operators.filters.text_filter import below, flagged
from mega_data_factory.operators.parameters import check_name, check_number, check_strings


class LanguageFilter(Filter):
    """Keeps records in given languages that were recognised surely enough; put it after `language_refiner`.

    Reasons: `missing_language` (null: no language was recognised), `unwanted_language`, `missing_language_score`,
    `low_language_score`.

    Args:
        languages: codes that stay, as `language_refiner` writes them; compared without regard to case.
        min_score: least score that stays, 0 to 1; at 0 the score column is not needed.
        language_column: column that holds the code.
        score_column: column that holds the score.
    """

    def __init__(
        self,
        *,
        languages: list[str],
        min_score: float = 0.0,
        language_column: str = "language",
        score_column: str = "language_score",
    ) -> None:
        self.languages = tuple(code.lower() for code in check_strings("languages", languages))
        if not self.languages:
            raise ValueError("languages is empty; no record could pass")
        self.min_score = check_number("min_score", min_score, most=1.0)
        self.language_column = check_name("language_column", language_column)
        self.score_column = check_name("score_column", score_column)

    def examples(self) -> pa.Table:
        """Return made-up records for a first run."""
        scores = pa.array([0.0, 1.0, None])
        return example_records(("xx", self.languages[0], None), self.language_column).append_column(
            self.score_column, scores
        )

    def judge(self, table: pa.Table) -> Judgement:
        """Compare language and score.

        Raises:
            ConfigError: the table lacks one of the columns; `language_refiner` adds both.
        """
        return Judgement.of(table.num_rows, self._rules(table))

    def _rules(self, table: pa.Table) -> Iterator[Rule]:
        language = text_of(table, self.language_column, "language_column")
        yield flagged("missing_language", language.is_null())
        yield flagged("unwanted_language", ~language.str.to_lowercase().is_in(self.languages))
        if self.min_score > 0:
            score = self._scores(table)
            yield flagged("missing_language_score", score.is_null())
            yield from below("low_language_score", score, self.min_score, "min_score")

    def _scores(self, table: pa.Table) -> pl.Series:
        column = column_of(table, self.score_column, "score_column")
        score = pl.from_arrow(column)
        assert isinstance(score, pl.Series)
        if not (score.dtype.is_numeric() or score.dtype == pl.Null):
            raise ConfigError(f"score_column: column `{self.score_column}` holds {column.type}, not a number")
        return score.cast(pl.Float64)
