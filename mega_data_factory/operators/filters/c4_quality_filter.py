"""Quality by the rules of C4."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from mega_data_factory.framework.contracts import Rule
from mega_data_factory.operators.filters.datatrove.c4_quality import datatrove_rules
from mega_data_factory.operators.filters.datatrove.flavor import check_flavor
from mega_data_factory.operators.filters.text_filter import below, flagged, words_pattern
from mega_data_factory.operators.filters.word_filter import WordFilter
from mega_data_factory.operators.parameters import check_count, check_flag, check_optional_count, check_strings
from mega_data_factory.operators.text.lines import Lines
from mega_data_factory.operators.text.scripts import unspaced

_POLICY = r"(?i)terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies"
_TERMINAL = r"[.!?\"\x{201D}]$"
_SENTENCE_END = r"[.!?]+[\"'\x{201D}\x{2019})\]]*(?:\s|$)"
_SHAD = r"\x{0F0D}\x{0F0E}"
_ANY_TERMINAL = rf"[\p{{Sentence_Terminal}}\p{{Quotation_Mark}}{_SHAD}\p{{Thai}}\p{{Lao}}]$"
_ANY_SENTENCE_END = rf"{_SENTENCE_END}|[[\p{{Sentence_Terminal}}{_SHAD}]--[.!?]]+|[\p{{Thai}}\p{{Lao}}](?:\s|$)"


class C4QualityFilter(WordFilter):
    """Rejects pages by the heuristics of C4: Raffel et al. 2020, arXiv:1910.10683, Section 2.2.

    Three rules reject a page outright: placeholder text, a curly bracket (as in source code), and a blocked word. The
    others are about lines: C4 keeps a line only if it ends with a period, exclamation mark, question mark or closing
    quotation mark (an ellipsis of dots does not count), has enough words, no word that is absurdly long, and is no
    notice about JavaScript or policies. This filter judges whole records and changes none: it counts the sentences of
    the lines that C4 would keep and rejects a page with too few, but the text that passes still has all its lines.

    With `words: unicode` a sentence ends with the punctuation of any script, and only full stop, exclamation and
    question mark of ASCII need white space behind them. Thai and Lao have none: there a sentence ends with white space
    behind a letter, and any line ends like a sentence.

    Off by default: blocked words, since C4's list is no part of its paper. Not done: C4's language detection (see
    `language_refiner`), its removal of citation marks, and its removal of repeated three-sentence spans.

    Reasons, in this order: `missing_text`, `lorem_ipsum`, `curly_bracket`, `blocked_word`, `too_few_sentences` (with
    the number and its limit).

    Args:
        text_column: column that holds the text.
        min_sentences: least number of sentences in lines that C4 would keep; 0 turns the line rules off.
        min_words_per_line: a line of fewer words is not counted.
        max_word_length: a line with a word of more characters is not counted; None for no limit. From C4's code.
        require_terminal_punctuation: count only lines that end like a sentence.
        skip_javascript_lines: do not count lines that mention JavaScript.
        skip_policy_lines: do not count lines that mention terms of use, a privacy or cookie policy, or use of cookies.
        reject_lorem_ipsum: reject pages with the words "lorem ipsum".
        reject_curly_brackets: reject pages with a curly bracket.
        blocked_words: reject pages with one of these words or phrases, whole and without regard to case; in scripts
            without spaces also inside a sentence.
        words: what a word is: `whitespace`, a run without white space; `unicode`, by Unicode's word boundaries
            (UAX #29), with dictionaries for Chinese, Japanese, Thai, Lao, Khmer and Burmese, without punctuation.
        flavor: `paper`, or `datatrove` to decide as datatrove 0.10 does where it has the same words, with its defaults;
            needs `words: whitespace`.
    """

    def __init__(
        self,
        *,
        text_column: str = "text",
        min_sentences: int = 5,
        min_words_per_line: int = 3,
        max_word_length: int | None = 1000,
        require_terminal_punctuation: bool = True,
        skip_javascript_lines: bool = True,
        skip_policy_lines: bool = True,
        reject_lorem_ipsum: bool = True,
        reject_curly_brackets: bool = True,
        blocked_words: list[str] | None = None,
        words: str = "whitespace",
        flavor: str = "paper",
    ) -> None:
        super().__init__(text_column=text_column, words=words)
        self.flavor = check_flavor(flavor, self.words)
        self.min_sentences = check_count("min_sentences", min_sentences)
        self.min_words_per_line = check_count("min_words_per_line", min_words_per_line)
        self.max_word_length = check_optional_count("max_word_length", max_word_length, least=1)
        self.require_terminal_punctuation = check_flag("require_terminal_punctuation", require_terminal_punctuation)
        self.skip_javascript_lines = check_flag("skip_javascript_lines", skip_javascript_lines)
        self.skip_policy_lines = check_flag("skip_policy_lines", skip_policy_lines)
        self.reject_lorem_ipsum = check_flag("reject_lorem_ipsum", reject_lorem_ipsum)
        self.reject_curly_brackets = check_flag("reject_curly_brackets", reject_curly_brackets)
        self.blocked_words = check_strings("blocked_words", blocked_words or [])
        self.blocked_words_pattern = words_pattern(self.blocked_words)
        of_any_script = self.words == "unicode"
        self._terminal = _ANY_TERMINAL if of_any_script else _TERMINAL
        self._sentence_end = _ANY_SENTENCE_END if of_any_script else _SENTENCE_END

    def rules(self, text: pl.Series) -> Iterator[Rule]:
        """Look for what rejects a page outright, then count sentences."""
        if self.flavor == "datatrove":
            yield from datatrove_rules(self, text)
            return
        if self.reject_lorem_ipsum:
            yield flagged("lorem_ipsum", text.str.contains(r"(?i)lorem ipsum"))
        if self.reject_curly_brackets:
            yield flagged("curly_bracket", text.str.contains(r"[{}]"))
        if self.blocked_words:
            yield flagged("blocked_word", text.str.contains(self.blocked_words_pattern))
        if self.min_sentences:
            yield from below("too_few_sentences", self._sentences(text), self.min_sentences, "min_sentences")

    def _sentences(self, text: pl.Series) -> pl.Series:
        """Return sentences of every text in the lines that count; such a line has at least one."""
        if self.words == "whitespace":
            self._unspaced = unspaced(text, (text.str.len_bytes() > 2 * text.str.len_chars()).arg_true())
        lines = Lines.from_text(text)
        counted = self._counted(lines.text)
        owners = lines.owners[counted.to_numpy()]
        sentences = lines.text.filter(counted).str.count_matches(self._sentence_end).clip(lower_bound=1)
        totals = np.bincount(owners, weights=sentences.to_numpy(), minlength=len(text))
        return pl.Series(totals, dtype=pl.Float64)

    def _counted(self, lines: pl.Series) -> pl.Series:
        """Return a mask of the lines that count; each test sees only the lines that the tests before it have kept."""
        left = pl.Series(np.arange(len(lines)))
        for pattern, wanted in self._line_tests():
            left = left.filter(lines.gather(left).str.contains(pattern) == wanted)
        if self.words == "unicode":
            return self._with_enough_words(lines, left)
        counted = np.zeros(len(lines), dtype=np.bool_)
        counted[left.to_numpy()] = True
        if self.max_word_length is not None:
            # only a line longer than the limit can hold such a word, and there are next to none
            for place in np.flatnonzero(counted & (lines.str.len_bytes() > self.max_word_length).to_numpy()).tolist():
                counted[place] = max(map(len, lines[place].split())) <= self.max_word_length
        return pl.Series(counted, dtype=pl.Boolean)

    def _with_enough_words(self, lines: pl.Series, left: pl.Series) -> pl.Series:
        """Return which of the remaining lines have enough words, and none that is too long."""
        words = self.words_of(lines.gather(left))
        passes = words.counts >= self.min_words_per_line
        if self.max_word_length is not None:
            passes[words.owners[np.diff(words.characters) > self.max_word_length]] = False
        counted = np.zeros(len(lines), dtype=np.bool_)
        counted[left.to_numpy()[passes]] = True
        return pl.Series(counted, dtype=pl.Boolean)

    def _line_tests(self) -> Iterator[tuple[str, bool]]:
        """Yield patterns, and whether a line that counts has them; those that leave the fewest lines come first."""
        if self.require_terminal_punctuation:
            yield self._terminal, True
            yield r"\.\.\.$", False
        if self.min_words_per_line > 1 and self.words == "whitespace":
            yield rf"^\S+(?:\s+\S+){{{self.min_words_per_line - 1}}}", True
        if self.skip_javascript_lines:
            yield r"(?i)javascript", False
        if self.skip_policy_lines:
            yield _POLICY, False
