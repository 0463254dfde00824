"""The quality filters with `flavor: datatrove`: what differs from the papers, by hand and beside datatrove itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mega_data_factory.operators.filters.datatrove.characters import PUNCTUATION, TERMINAL_PUNCTUATION, split_lines
from tests.environments import fineweb
from tests.operators.texts import reasons, verdicts

_ROOT = Path(__file__).parents[2]
_REPETITION_OFF: dict[str, Any] = {
    "max_duplicate_lines": None,
    "max_duplicate_paragraphs": None,
    "max_duplicate_line_characters": None,
    "max_duplicate_paragraph_characters": None,
    "max_top_ngram": {},
    "max_duplicate_ngram": {},
}


def both(name: str, texts: list[str], **parameters: Any) -> list[tuple[str | None, ...]]:
    """Return the reasons with the flavor and without."""
    return [
        tuple(reasons(name, texts, flavor="datatrove", **parameters)),
        tuple(reasons(name, texts, **parameters)),
    ]


def test_classes_of_characters_have_the_size_of_datatroves() -> None:
    """A newer Unicode in polars would add characters to one of them."""
    points = pl.Series([chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000])
    assert points.str.contains(f"[{TERMINAL_PUNCTUATION}]").sum() == 159
    assert points.str.contains(f"[{PUNCTUATION}]").sum() == 281


def test_lines_are_those_of_python() -> None:
    """Every line end of `str.splitlines` counts, and a last one begins no line."""
    texts = [
        "",
        "\n",
        "a",
        "a\n",
        "a\n\nb",
        "a\r\nb\rc\vd\fe\x1cf\x1dg\x1eh\x85i\u2028j\u2029k",
        "\x1f a",
        "\r\n\r\n",
        "a\n\r",
    ]
    assert split_lines(pl.Series(texts)).to_list() == [text.splitlines() for text in texts]


def test_words_of_punctuation_alone_do_not_count_for_the_number_of_words() -> None:
    """A hundred words are fifty for datatrove if half of them are dashes."""
    texts = ["the and - -- " * 25, "the and word two " * 25]
    assert both("gopher_quality_filter", texts, min_words=51, min_mean_word_length=None, min_alphabetic_words=None) == [
        ("too_few_words", None),
        (None, None),
    ]


def test_stop_words_are_whole_words_in_lower_case() -> None:
    """`The` and `be,` are none for datatrove."""
    texts = ["The be, dog", "the be dog"]
    off: dict[str, Any] = {"min_words": None, "min_alphabetic_words": None, "min_mean_word_length": None}
    assert both("gopher_quality_filter", texts, **off) == [("too_few_stop_words", None), (None, None)]


def test_shares_of_repetition_are_of_all_characters() -> None:
    """The top n-gram counts its spaces and counts also once; the first among equals wins, not the longest."""
    top = _REPETITION_OFF | {"max_top_ngram": {2: 0.0}, "flavor": "datatrove"}
    assert verdicts("gopher_repetition_filter", ["ab cd efg hi ab cd", "one two   ", "one"], **top) == [
        ("top_2_gram", pytest.approx(10 / 18), 0.0),
        ("top_2_gram", pytest.approx(7 / 10), 0.0),
        None,
    ]
    assert verdicts("gopher_repetition_filter", ["a b cc dd cc dd a b"], **top) == [
        ("top_2_gram", pytest.approx(6 / 19), 0.0)
    ]


def test_duplicate_ngrams_are_searched_from_left_to_right() -> None:
    """What a duplicate overlaps is not counted, and words are equal by their letters alone."""
    duplicate = _REPETITION_OFF | {"max_duplicate_ngram": {2: 0.0}, "flavor": "datatrove"}
    assert verdicts("gopher_repetition_filter", ["a a a a a", "ab c x a bc"], **duplicate) == [
        ("duplicate_2_gram", pytest.approx(4 / 9), 0.0),
        ("duplicate_2_gram", pytest.approx(3 / 11), 0.0),
    ]


def test_fineweb_does_not_strip_lines_and_keeps_what_is_on_a_limit() -> None:
    """A space behind a full stop makes a line unpunctuated; a duplicate of two percent is too much."""
    fresh = "".join(f"line number {i} has more than thirty characters in it.\n" for i in range(48))
    texts = ["A line that has more than thirty characters. \n" * 1, fresh + fresh[:57]]
    assert both("fineweb_quality_filter", texts) == [
        ("few_punctuated_lines", "duplicate_line_characters"),
        (None, None),
    ]


def test_c4_looks_for_brackets_only_in_lines_that_count() -> None:
    """A bracket in a line without punctuation does no harm, a closing one never; citations do not end a line."""
    good = "This is a sentence.\n" * 5
    texts = [good + "if (x) { y }\n", good + "Here is one } too.\n", "This is a sentence.[12]\n" * 5]
    assert both("c4_quality_filter", texts) == [
        (None, None, None),
        ("curly_bracket", "curly_bracket", "too_few_sentences"),
    ]


@pytest.mark.parametrize("parameters", [{"flavor": "spacy"}, {"flavor": "datatrove", "words": "unicode"}])
def test_flavors_are_checked(parameters: dict[str, str]) -> None:
    """There are two, and that of datatrove counts runs without white space."""
    for name in ("gopher_quality_filter", "gopher_repetition_filter", "c4_quality_filter", "fineweb_quality_filter"):
        with pytest.raises(ValueError, match="flavor"):
            reasons(name, [], **parameters)


@pytest.mark.slow
def test_every_decision_is_that_of_datatrove(tmp_path: Path) -> None:
    """Over texts of the environment and generated ones not one decision of a filter differs."""
    command = [
        sys.executable,
        str(_ROOT / "benchmarks" / "datatrove_flavor.py"),
        "--megabytes",
        "4",
        "--generated",
        "1500",
    ]
    done = subprocess.run(
        [*command, "--datatrove", str(fineweb() / "bin" / "python")],
        env={**os.environ, "PYTHONPATH": str(_ROOT), "MDF_BENCH_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert done.stdout.count("| 100.00% |") >= 8
