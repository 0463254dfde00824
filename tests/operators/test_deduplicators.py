"""What the deduplicators take for equal."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pytest

from mega_data_factory.framework.contracts import Deduplicator
from mega_data_factory.operators.dedup.minhash_deduplicator import MinhashDeduplicator, bands_and_rows
from tests.operators.texts import ready, reasons, table_of

EXACT, MINHASH = "exact_deduplicator", "minhash_deduplicator"
WORDS = [f"word{i}" for i in range(5000)]


@pytest.mark.parametrize(
    ("normalize", "expected"),
    [
        ("none", [None, "duplicate", None, None]),
        ("whitespace", [None, "duplicate", "duplicate", None]),
        ("lowercase", [None, "duplicate", "duplicate", "duplicate"]),
    ],
)
def test_exact_normalization(normalize: str, expected: list[str | None]) -> None:
    """Each normalization makes more texts equal than the one before."""
    assert reasons(EXACT, ["A b", "A b", " A \n b ", "a B"], normalize=normalize) == expected


def test_exact_over_several_columns() -> None:
    """Columns count together, each for itself: moving text from one to the next makes another record."""
    table = table_of(["ab", "a", "ab", None, "", None], title=pa.array(["c", "bc", "c", "x", "x", None]))
    operator = ready(EXACT, columns=["text", "title"])
    assert isinstance(operator, Deduplicator)
    assert operator.judge(table).reason.to_pylist() == [None, None, "duplicate", None, None, None]
    assert operator.keys(table)[0][5] is None


def test_minhash_finds_near_copies_and_spares_others() -> None:
    """A text with one of 200 words changed is a duplicate; one that shares half its words is not."""
    base = WORDS[:200]
    changed = [*base[:100], "other", *base[101:]]
    half = base[:100] + WORDS[1000:1100]
    texts = [" ".join(words) for words in (base, changed, half)]
    assert reasons(MINHASH, texts) == [None, "duplicate", None]
    assert reasons(MINHASH, texts, ngram_unit="chars", ngram_size=9) == [None, "duplicate", None]


def test_minhash_meets_about_as_often_as_the_formula_says() -> None:
    """Over 300 pairs of word sets of known similarity the share that meets is near 1 - (1 - s^r)^b."""
    chooser, pairs, shared, own = random.Random(7), 300, 70, 15
    table_texts = []
    for _ in range(pairs):
        words = chooser.sample(WORDS, shared + 2 * own)
        table_texts += [" ".join(words[: shared + own]), " ".join(words[:shared] + words[shared + own :])]
    operator = MinhashDeduplicator(ngram_size=1, bands=16, rows=8)
    bands = operator.keys(table_of(table_texts))
    met = sum(any(band[2 * i] == band[2 * i + 1] for band in bands) for i in range(pairs)) / pairs
    similarity = shared / (shared + 2 * own)
    assert met == pytest.approx(1 - (1 - similarity**8) ** 16, abs=0.1)


def test_minhash_keys_never_change() -> None:
    """Keys are fixed bytes: workers on other machines and resumed runs must agree on them."""
    operator = MinhashDeduplicator(num_perm=4, bands=2, rows=2)
    keys = operator.keys(table_of(["The quick brown fox jumps over the lazy dog"]))
    assert [band[0].hex() for band in keys if band[0] is not None] == ["989dff0a871b8b0c", "b91d1a405e034a07"]


def test_minhash_ignores_case_and_white_space_unless_told() -> None:
    """Letter case counts only with `lowercase` off; white space between words never does."""
    texts = ["One two  three\nfour five six", "one two three four five six"]
    assert reasons(MINHASH, texts) == [None, "duplicate"]
    assert reasons(MINHASH, texts, lowercase=False) == [None, None]


def test_minhash_compares_short_texts_whole() -> None:
    """A text shorter than an n-gram is equal to the same text only."""
    assert reasons(MINHASH, ["one two", "one two", "one", "two one", " "]) == [None, "duplicate", None, None, None]


@pytest.mark.parametrize(("threshold", "expected"), [(0.5, (25, 5)), (0.8, (9, 13)), (0.9, (5, 25))])
def test_bands_and_rows_suit_the_threshold(threshold: float, expected: tuple[int, int]) -> None:
    """The chosen split has its steepest rise, (1/b)^(1/r), near the threshold."""
    bands, rows = bands_and_rows(threshold, 128)
    assert (bands, rows) == expected
    assert (1 / bands) ** (1 / rows) == pytest.approx(threshold, abs=0.06)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"bands": 4}, "give both or neither"),
        ({"bands": 20, "rows": 8}, "more than num_perm 128"),
        ({"threshold": 1.2}, "threshold is 1.2, not a number from 0 to 1"),
        ({"ngram_size": 0}, "ngram_size is 0"),
    ],
)
def test_minhash_parameters_are_checked(params: dict[str, Any], message: str) -> None:
    """A wrong parameter is refused with its name, its value and what would do."""
    with pytest.raises(ValueError, match=message):
        ready(MINHASH, **params)
