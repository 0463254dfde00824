"""Gopher's repetition rules against a plain implementation of their definition, and by hand."""

from __future__ import annotations

import re
from collections import Counter
from random import Random
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mega_data_factory.operators.text.lines import Lines
from mega_data_factory.operators.text.ngrams import NgramFractions, hash_order, sorted_pairs
from mega_data_factory.operators.text.repetition import duplicate_fractions
from mega_data_factory.operators.text.words import Words
from tests.operators.texts import reasons, verdicts

WORD = st.sampled_from(["a", "b", "ab", "ü", "\U0001f600", "long-word-of-some-length"])
SPACE = st.sampled_from([" ", "  ", "\n", "\n\n", "\n \n", "\t", "\u3000", "\r\n"])
TEXT = st.lists(st.tuples(WORD, SPACE), max_size=60).map(lambda pairs: "".join(word + space for word, space in pairs))
NAME = "gopher_repetition_filter"


def plain_words(text: str) -> list[str]:
    return re.findall(r"[^ \t\n\r\u3000]+", text)


def plain_top(text: str, n: int) -> float:
    words = plain_words(text)
    grams = Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
    repeated = [(count, sum(map(len, gram))) for gram, count in grams.items() if count > 1]
    if not repeated:
        return 0.0
    count, length = max(repeated)
    return min(count * length / sum(map(len, words)), 1.0)


def plain_duplicate(text: str, n: int) -> float:
    words = plain_words(text)
    seen: set[tuple[str, ...]] = set()
    covered: set[int] = set()
    for i in range(len(words) - n + 1):
        gram = tuple(words[i : i + n])
        if gram in seen:
            covered.update(range(i, i + n))
        seen.add(gram)
    return sum(len(words[i]) for i in covered) / sum(map(len, words)) if words else 0.0


def plain_duplicates(parts: list[str]) -> tuple[float, float]:
    again = [part for i, part in enumerate(parts) if part in parts[:i]]
    size = sum(len(part.replace("\n", "")) for part in parts)
    return (len(again) / len(parts), sum(len(p.replace("\n", "")) for p in again) / size) if parts else (0.0, 0.0)


def plain_lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def plain_paragraphs(text: str) -> list[str]:
    return ["\n".join(plain_lines(part)) for part in re.split(r"\n\s*\n", text) if part.strip()]


def assert_ngram_fractions(texts: list[str], lengths: range) -> None:
    """Compare the fractions of all these lengths, found in one search, with a direct count over tuples of words."""
    found = NgramFractions.from_words(Words.from_text(pl.Series(texts, dtype=pl.String)), lengths, lengths)
    for n in lengths:
        assert found.top[n].to_list() == pytest.approx([plain_top(text, n) for text in texts])
        assert found.duplicate[n].to_list() == pytest.approx([plain_duplicate(text, n) for text in texts])


@settings(max_examples=75, deadline=None)
@given(st.lists(TEXT, max_size=6), st.integers(1, 4))
def test_ngram_fractions_are_those_of_the_definition(texts: list[str], shortest: int) -> None:
    """Both fractions equal a direct count for every n up to 10, from whichever length the search starts."""
    assert_ngram_fractions(texts, range(shortest, 11))


def test_ngram_fractions_of_texts_of_many_kinds() -> None:
    """They are those of the definition for texts of many sizes, vocabularies, scripts and kinds of repetition."""
    random = Random(7)
    texts = [_made(random) for _ in range(120)]
    assert_ngram_fractions(texts, range(1, 11))


def test_a_text_is_judged_alike_alone_and_in_a_large_batch() -> None:
    """Batches are searched in parts; where a part begins changes nothing, also for a text larger than a part."""
    random = Random(11)
    texts = [_made(random) for _ in range(60)]
    texts.insert(20, "".join(f"word{random.randint(0, 3000)} " for _ in range(70_000)))
    texts = texts * 3
    together = NgramFractions.from_words(Words.from_text(pl.Series(texts)), [2, 3], [5])
    alone = [NgramFractions.from_words(Words.from_text(pl.Series([text])), [2, 3], [5]) for text in texts[:61]]
    assert together.top[3].to_list() == 3 * [found.top[3][0] for found in alone]
    assert together.duplicate[5].to_list() == 3 * [found.duplicate[5][0] for found in alone]


def _made(random: Random) -> str:
    letters = random.choice(["abcdefgh", "абвг", "漢字仮名", "é\U0001f600aß"])
    vocabulary = [
        "".join(random.choices(letters, k=random.randint(1, 12))) for _ in range(random.choice([2, 40, 2000]))
    ]
    words = random.choices(vocabulary, k=random.choice([0, 1, 2, 9, 50, 400]))
    if words and random.random() < 0.5:
        begin = random.randrange(len(words))
        words += words[begin : begin + random.randint(1, 40)] * random.randint(1, 9)
    spaces = [" ", "\n", "\n\n", "\u3000", "\t"][: random.randint(1, 5)]
    return "".join(word + random.choice(spaces) for word in words)


@settings(max_examples=75, deadline=None)
@given(st.lists(TEXT, max_size=6))
def test_line_and_paragraph_fractions_are_those_of_the_definition(texts: list[str]) -> None:
    """The duplicate fractions of lines and paragraphs equal a direct count over strings."""
    lines = Lines.from_text(pl.Series(texts, dtype=pl.String))
    count, characters = duplicate_fractions(lines.owners, lines.characters, lines.hashes, len(texts))
    assert list(zip(count, characters, strict=True)) == [pytest.approx(plain_duplicates(plain_lines(t))) for t in texts]
    count, characters = duplicate_fractions(*lines.as_paragraphs(), len(texts))
    expected = [pytest.approx(plain_duplicates(plain_paragraphs(t))) for t in texts]
    assert list(zip(count, characters, strict=True)) == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXT, max_size=6))
def test_words_are_runs_without_white_space(texts: list[str]) -> None:
    """Words, their characters and the equality of their hashes are those of a plain split."""
    words = Words.from_text(pl.Series(texts, dtype=pl.String))
    expected = [plain_words(text) for text in texts]
    assert words.counts.tolist() == [len(found) for found in expected]
    assert words.character_counts.tolist() == [sum(map(len, found)) for found in expected]
    flat = [word for found in expected for word in found]
    assert len(set(zip(flat, words.hashes.tolist(), strict=True))) == len(set(flat)) == len(set(words.hashes.tolist()))


def test_word_hashes_never_change() -> None:
    """Hashes are fixed numbers: deduplication keys of one machine must be those of another."""
    words = Words.from_text(pl.Series(["cat a-longer-word-than-eight " + "x" * 600]))
    assert words.hashes.tolist() == [7910616107533895103, 91488922942808375, 5825070343819216069]


def test_words_that_differ_late_or_by_a_zero_byte_differ() -> None:
    """Neither the 8-byte steps nor the zeros that fill them up make different words alike."""
    base = "y" * 700
    texts = ["a", "a\0", "a\0\0", "\0a", "abcdefgh", "abcdefgh\0", "abcdefghi", base, base + "y", base[:-1] + "z"]
    assert len(set(Words.from_text(pl.Series([" ".join(texts)])).hashes.tolist())) == len(texts)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=40))
def test_the_slow_sort_gives_the_order_of_the_fast_one(pairs: list[tuple[int, int]]) -> None:
    """Pairs too wide for a key of 64 bits are sorted into the same order."""
    major, minor = (np.array([pair[i] for pair in pairs], dtype=np.int64) for i in (0, 1))
    order, begins = sorted_pairs(major, minor)
    slow_order, slow_begins = sorted_pairs(major, minor, key_bits=0)
    assert order.tolist() == slow_order.tolist() == sorted(range(len(pairs)), key=pairs.__getitem__)
    assert begins.tolist() == slow_begins.tolist()
    assert int(begins.sum()) == len(set(pairs))


def test_hashes_that_share_their_low_bits_stay_apart() -> None:
    """Equal hashes lie together also where the packed sort would take unlike ones for equal."""
    hashes = np.array([1 << 63, 0, 1 << 63, 0, 7], dtype=np.uint64)
    order = hash_order(hashes).tolist()
    assert sorted(order) == [0, 1, 2, 3, 4]
    assert order.index(0) + 1 == order.index(2)
    assert order.index(1) + 1 == order.index(3)


def test_duplicate_lines_by_hand() -> None:
    """Two of five lines are duplicates: 0.4 is above 0.30."""
    assert verdicts(NAME, ["one\ntwo\none\nthree\none"]) == [("duplicate_lines", 0.4, 0.30)]


def test_duplicate_paragraphs_by_hand() -> None:
    """One of three paragraphs is a duplicate: 1/3 is above 0.30."""
    text = "a b\nc d\n\ne f\ng h\n\na b\nc d"
    assert verdicts(NAME, [text], max_duplicate_lines=None) == [("duplicate_paragraphs", pytest.approx(1 / 3), 0.30)]


def test_duplicate_characters_by_hand() -> None:
    """One of four lines, but 20 of 26 + 20 characters."""
    text = "x" * 20 + "\nab\ncdef\n" + "x" * 20
    assert verdicts(NAME, [text]) == [("duplicate_line_characters", pytest.approx(20 / 46), 0.20)]


def test_top_ngram_by_hand() -> None:
    """`ab cd` occurs twice: 8 of 36 word characters."""
    text = "ab cd 12345678 ab cd abcdefgh ijklmnop qrst"
    assert verdicts(NAME, [text]) == [("top_2_gram", pytest.approx(8 / 36), 0.20)]


def test_duplicate_ngrams_count_overlaps_once() -> None:
    """Six words come twice: the 5-grams of the second time overlap, and cover its 6 of 40 words once."""
    fresh = [f"{i:02}" for i in range(28)]
    block = ["aa", "bb", "cc", "dd", "ee", "ff"]
    text = " ".join(fresh[:14] + block + fresh[14:] + block)
    assert verdicts(NAME, [text], max_top_ngram={}, max_duplicate_ngram={5: 0.14}) == [("duplicate_5_gram", 0.15, 0.14)]
    assert reasons(NAME, [text], max_top_ngram={}, max_duplicate_ngram={5: 0.15, 7: 0.0}) == [None]


def test_a_text_without_repetition_stays() -> None:
    """N-grams that occur once are no repetition, however short the text."""
    assert reasons(NAME, ["hello world", "word", "", " \n "]) == [None] * 4


def test_repetition_across_records_is_none() -> None:
    """Only what a record repeats itself counts."""
    assert reasons(NAME, ["one two three four five six seven"] * 5) == [None] * 5


def test_every_limit_can_be_turned_off() -> None:
    """With None and empty mappings nothing is rejected but what is missing."""
    off: dict[str, Any] = {
        "max_duplicate_lines": None,
        "max_duplicate_paragraphs": None,
        "max_duplicate_line_characters": None,
        "max_duplicate_paragraph_characters": None,
        "max_top_ngram": {},
        "max_duplicate_ngram": {},
    }
    assert reasons(NAME, ["a\n" * 50, None], **off) == [None, "missing_text"]


def test_limits_may_have_keys_as_they_travel() -> None:
    """Parameters reach a worker as JSON, which has no other keys than texts."""
    text = "one two three four " * 10
    assert reasons(NAME, [text], max_top_ngram={"2": 0.1}) == reasons(NAME, [text], max_top_ngram={2: 0.1})


@pytest.mark.parametrize("limits", [{"two": 0.1}, {0: 0.1}, {33: 0.1}, {2: 1.5}, {2: None}, [2]])
def test_limits_of_ngrams_are_checked(limits: object) -> None:
    """Keys are lengths from 1 to 32 and values fractions."""
    with pytest.raises(ValueError, match="max_top_ngram"):
        reasons(NAME, [], max_top_ngram=limits)
