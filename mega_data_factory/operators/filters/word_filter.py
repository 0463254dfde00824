"""Bases of the filters that count words: how words are found, and limits that differ by language."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.catalogue import UNSPACED_RECORDS, UNSPACED_REJECTS
from mega_data_factory.framework.contracts import Judgement, OperatorContext, Rule
from mega_data_factory.operators.filters.language_limits import LANGUAGES, PUBLISHED_LIMITS
from mega_data_factory.operators.filters.text_filter import TextFilter
from mega_data_factory.operators.parameters import check_choice
from mega_data_factory.operators.text.scripts import Mask, languages_by_script, unspaced
from mega_data_factory.operators.text.word_choice import check_words, load_words, words_of
from mega_data_factory.operators.text.words import Words

_NOT_BY_LANGUAGE = {"text_column", "words", "language", "limits_by_language", "flavor"}


class WordFilter(TextFilter):
    """Judges records by the words of one text column.

    Args:
        text_column: column that holds the text.
        words: one of `WORDS`.
    """

    _unspaced: Mask | None = None
    """Of the texts that are judged, those in a script without spaces; None if their words are not looked for."""

    def __init__(self, *, text_column: str, words: str) -> None:
        super().__init__(text_column=text_column)
        self.words = check_words(words)

    def setup(self, context: OperatorContext) -> None:
        """Load the dictionaries."""
        super().setup(context)
        if self.counts_words:
            load_words(self.words)

    def judge(self, table: pa.Table) -> Judgement:
        """Reject every record whose text is null or fails a rule.

        Raises:
            ConfigError: the table has no such text column.
        """
        self._unspaced = None
        judgement = super().judge(table)
        if self._unspaced is not None and self._unspaced.any():
            rejected = pc.is_valid(judgement.reason).to_numpy(zero_copy_only=False)
            self.notice(UNSPACED_RECORDS, int(np.count_nonzero(self._unspaced)))
            self.notice(UNSPACED_REJECTS, int(np.count_nonzero(self._unspaced & rejected)))
        return judgement

    @property
    def counts_words(self) -> bool:
        """Whether it counts words, as its parameters are."""
        return True

    def words_of(self, text: pl.Series) -> Words:
        """Cut the texts that are judged into words; null has none."""
        words = words_of(self.words)(text)
        if self.words == "whitespace":
            self._unspaced = unspaced(text, words.texts_of_wide_characters)
        return words


class LanguageLimits(WordFilter):
    """Judges records by limits that differ by language.

    The limits of a language are a filter of the same class: with the published limits of the language, over them the
    parameters as given, over them those given for the language.

    Args:
        text_column: column that holds the text.
        words: what a word is: `whitespace`, a run without white space; `unicode`, by Unicode's word boundaries
            (UAX #29), with dictionaries for Chinese, Japanese, Thai, Lao, Khmer and Burmese, without punctuation.
        language: with `words: unicode`, the language whose published limits hold: zh, ja, th, lo, km, my, bo, ko, or en
            for the defaults; None takes the language that the script of each text stands for. A limit that is given
            holds for all.
        limits_by_language: with `words: unicode`, for a language the parameters of this filter that differ for it.

    Raises:
        ValueError: a parameter is wrong, also one that is given for a language.
    """

    __signature__: ClassVar[inspect.Signature]
    _given: Mapping[str, Any]

    def __init_subclass__(cls) -> None:
        """Show the parameters of `__init__`, which `__new__` would hide."""
        super().__init_subclass__()
        _, *own = inspect.signature(cls.__init__).parameters.values()
        cls.__signature__ = inspect.Signature(own)

    def __new__(cls, **given: Any) -> Self:
        """Remember which parameters were given: those win over what is published for a language."""
        self = super().__new__(cls)
        self._given = given
        return self

    def __init__(
        self, *, text_column: str, words: str, language: str | None, limits_by_language: Mapping[str, Any] | None
    ) -> None:
        super().__init__(text_column=text_column, words=words)
        self.language = None if language is None else check_choice("language", language, LANGUAGES)
        limits = check_limits_by_language(limits_by_language, self._own_parameters())
        if self.words == "whitespace" and (self.language or limits):
            name = "language" if self.language else "limits_by_language"
            raise ValueError(f"{name} needs `words: unicode`: its limits are for words of that kind")
        self._own_limits = limits
        self._of_language: dict[str, LanguageLimits] = {}
        if self.words == "unicode" and (self.language, limits) != ("en", {}):
            for name in [self.language] if self.language else LANGUAGES:
                self._of_language[name] = self._with_limits_of(name, limits.get(name, {}))

    def judge_texts(self, text: pl.Series) -> Judgement:
        """Judge the texts of every language by its own limits."""
        if not self._of_language:
            return super().judge_texts(text)
        if self.language:
            return self._judge_in(self.language, text)
        languages = np.array(languages_by_script(text), dtype=object)
        rows = {name: np.flatnonzero(languages == name) for name in LANGUAGES}
        parts = [(self._judge_in(name, text.gather(at)), at) for name, at in rows.items() if len(at)]
        return Judgement.merged(*zip(*parts, strict=True)) if parts else super().judge_texts(text)

    def _judge_in(self, language: str, text: pl.Series) -> Judgement:
        """Judge texts of one language; its rules name the parameters that decide for it."""
        judgement = self._of_language[language].judge_texts(text)
        own = self._own_limits.get(language, {})
        return replace(judgement, rules=tuple(_named_for(language, own, rule) for rule in judgement.rules))

    def _with_limits_of(self, language: str, own: Mapping[str, Any]) -> LanguageLimits:
        published = PUBLISHED_LIMITS.get(language, {})
        parameters = self._own_parameters()
        limits = {name: value for name, value in published.items() if name in parameters}
        shared = {name: value for name, value in self._given.items() if name != "limits_by_language"}
        try:
            return type(self)(**(limits | shared | dict(own) | {"language": "en"}))
        except (TypeError, ValueError) as error:
            raise ValueError(f"with the limits for language {language}: {error}") from error

    def _own_parameters(self) -> set[str]:
        return set(type(self).__signature__.parameters) - _NOT_BY_LANGUAGE


def _named_for(language: str, own: Mapping[str, Any], rule: Rule) -> Rule:
    """Return a rule with the place of its threshold, where the language has a limit of its own."""
    if rule.parameter is None or rule.parameter.partition(".")[0] not in own:
        return rule
    return replace(rule, parameter=f"limits_by_language.{language}.{rule.parameter}")


def check_limits_by_language(limits: object, parameters: set[str]) -> dict[str, Mapping[str, Any]]:
    """Return a mapping from languages to parameters of the filter.

    Args:
        limits: what was given; None for none.
        parameters: those that may be given for a language.
    """
    if limits is None:
        return {}
    if not isinstance(limits, Mapping):
        raise ValueError(f"limits_by_language is {limits!r}, not a mapping from a language to parameters")
    for language, own in limits.items():
        check_choice("limits_by_language", language, LANGUAGES)
        if not isinstance(own, Mapping) or not own.keys() <= parameters:
            raise ValueError(
                f"limits_by_language[{language}] is {own!r}, not a mapping of these parameters to values: "
                f"{', '.join(sorted(parameters))}"
            )
    return dict(limits)
