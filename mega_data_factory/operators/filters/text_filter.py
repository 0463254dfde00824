"""The base of the filters that judge one text column, and the two kinds of test they are made of."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import Literal

import polars as pl
import pyarrow as pa

from mega_data_factory.framework.contracts import Filter, Judgement, Rule
from mega_data_factory.operators.columns import text_of
from mega_data_factory.operators.examples import TEXTS, example_records
from mega_data_factory.operators.parameters import check_name
from mega_data_factory.operators.text.scripts import UNSPACED_LETTER


class TextFilter(Filter):
    """Judges records by one text column; null is rejected as `missing_text` before any rule of the subclass.

    Args:
        text_column: column that holds the text.
    """

    def __init__(self, *, text_column: str = "text") -> None:
        self.text_column = check_name("text_column", text_column)

    def examples(self) -> pa.Table:
        """Return made-up records for a first run."""
        return example_records(TEXTS, self.text_column)

    def judge(self, table: pa.Table) -> Judgement:
        """Reject every record whose text is null or fails a rule.

        Raises:
            ConfigError: the table has no such text column.
        """
        return self.judge_texts(text_of(table, self.text_column))

    def judge_texts(self, text: pl.Series) -> Judgement:
        """Reject every text that is null or fails a rule."""
        return Judgement.of(len(text), self._all_rules(text))

    @abstractmethod
    def rules(self, text: pl.Series) -> Iterable[Rule]:
        """Return the tests in the order in which they decide; `text` is a String series, null for a missing text."""

    def _all_rules(self, text: pl.Series) -> Iterator[Rule]:
        yield flagged("missing_text", text.is_null())
        yield from self.rules(text)


def flagged(reason: str, failed: pl.Series) -> Rule:
    """Return a rule that no number decides: the record fails where `failed` is True."""
    return Rule(reason, failed.rechunk().to_arrow())


def below(
    reason: str, score: pl.Series, limit: float | None, parameter: str, *, inclusive: bool = False
) -> Iterator[Rule]:
    """Yield the rule that fails scores below the limit (or equal, if inclusive); no rule for None.

    Args:
        reason: of the records that fail.
        score: what is compared, of every record.
        limit: what it is compared with.
        parameter: the parameter of the filter that is the limit; `parameter.key` where it is a mapping.
        inclusive: whether a score that equals the limit fails.
    """
    if limit is not None:
        failed = score <= limit if inclusive else score < limit
        yield _limit_rule(reason, failed, score, limit, parameter, "<=" if inclusive else "<")


def above(
    reason: str, score: pl.Series, limit: float | None, parameter: str, *, inclusive: bool = False
) -> Iterator[Rule]:
    """Yield the rule that fails scores above the limit (or equal, if inclusive), as `below` does; no rule for None."""
    if limit is not None:
        failed = score >= limit if inclusive else score > limit
        yield _limit_rule(reason, failed, score, limit, parameter, ">=" if inclusive else ">")


def words_pattern(words: Iterable[str], *, whole: bool = True) -> str:
    """Return a regular expression for any of these words or phrases, ignoring case; empty if there are none.

    Args:
        words: taken literally.
        whole: only between characters that are no letters or digits; otherwise anywhere. A word of a script without
            spaces counts anywhere in any case, for there letters stand beside it.
    """
    listed = pl.Series(sorted(set(words)), dtype=pl.String)
    anywhere = listed.str.contains(UNSPACED_LETTER) if whole else pl.repeat(True, len(listed), eager=True)
    kinds = [_one_of(listed.filter(anywhere))]
    if between := _one_of(listed.filter(~anywhere)):
        kinds.append(rf"(?:^|[^\p{{L}}\p{{N}}]){between}(?:[^\p{{L}}\p{{N}}]|$)")
    found = "|".join(filter(None, kinds))
    return f"(?i){found}" if found else ""


def _one_of(words: pl.Series) -> str:
    return f"(?:{'|'.join(map(re.escape, words))})" if len(words) else ""


def _limit_rule(
    reason: str,
    failed: pl.Series,
    score: pl.Series,
    limit: float,
    parameter: str,
    fails: Literal["<", "<=", ">", ">="],
) -> Rule:
    number = score.cast(pl.Float64).rechunk().to_arrow()
    return Rule(reason, failed.rechunk().to_arrow(), number, float(limit), parameter, fails)
