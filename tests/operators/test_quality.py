"""The rules of Gopher, C4 and FineWeb on small texts, worked out by hand."""

from __future__ import annotations

import pytest

from tests.operators.texts import reasons, verdicts

GOPHER = "gopher_quality_filter"
C4 = "c4_quality_filter"
FINEWEB = "fineweb_quality_filter"
PROSE = " ".join(["the", "cat", "sat", "with", "mice"] * 10)
"""50 words, 2 stop words, 16 characters in 5 words."""


def test_gopher_keeps_prose() -> None:
    """Fifty ordinary words with two different stop words pass every rule."""
    assert reasons(GOPHER, [PROSE]) == [None]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (PROSE.rpartition(" ")[0], ("too_few_words", 49.0, 50.0)),
        ("", ("too_few_words", 0.0, 50.0)),
        (PROSE + " a" * 99_951, ("too_many_words", 100_001.0, 100_000.0)),
        ("the of " + "a " * 58, ("short_words", pytest.approx(63 / 60), 3.0)),
        ("the with " + "abcdefghijk " * 98, ("long_words", pytest.approx((7 + 98 * 11) / 100), 10.0)),
        (PROSE + " ######", ("too_many_hashes", pytest.approx(6 / 51), 0.1)),
        (PROSE + " a…b...…c......", ("too_many_ellipses", pytest.approx(5 / 51), 0.1)),
        ("\n".join("- the cats with white hats" for _ in range(10)), ("too_many_bullet_lines", 1.0, 0.9)),
        (PROSE + "…\nnext\nnext", ("too_many_ellipsis_lines", pytest.approx(1 / 3), 0.3)),
        (PROSE + " 12345" * 13, ("too_few_alphabetic_words", pytest.approx(50 / 63), 0.8)),
        ("there cats " * 25 + "THE", ("too_few_stop_words", 1.0, 2.0)),
    ],
)
def test_gopher_rejects(text: str, verdict: tuple[str, float, float]) -> None:
    """Each rule rejects just past its published limit, with the number that decided."""
    limits = {"max_symbol_ratio": 0.095} if verdict[0] == "too_many_ellipses" else {}
    expected = (*verdict[:2], 0.095) if limits else verdict
    assert verdicts(GOPHER, [text], **limits) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "the abc and " * 17,
        PROSE + " #####",
        "\n".join(["- the cats with hats"] * 9 + ["the cats with hats and mice"]),
        PROSE.replace(" the", "…\nthe", 3) + "\n" + "\n".join(["cats"] * 6),
        PROSE + " 12345" * 12,
    ],
)
def test_gopher_keeps_what_lies_on_the_limit(text: str) -> None:
    """The limits themselves pass: mean length 3, symbols 0.1, bullets 0.9, ellipses 0.3, alphabetic words 0.8."""
    assert reasons(GOPHER, [text], min_words=45) == [None]


def test_gopher_counts_a_stop_word_once_and_whole() -> None:
    """Different stop words count, however often each occurs, and not as parts of words or in unlike case only."""
    text = "bother offer together withhold " * 15
    assert verdicts(GOPHER, [text + "Of OF of", text + "Of THAT"]) == [("too_few_stop_words", 1.0, 2.0), None]


def test_gopher_takes_the_stop_words_of_another_language() -> None:
    """Stop words with letters beyond ASCII are found whole too."""
    french = "à la fenêtre où été voilà " * 10
    assert reasons(GOPHER, [french], stop_words=["à", "où"]) == [None]
    assert reasons(GOPHER, [french.replace("à la", "la")], stop_words=["à", "où"]) == ["too_few_stop_words"]


SENTENCES = "\n".join(f"This is sentence number {n}." for n in "abcde")


def test_c4_counts_the_sentences_of_lines_that_it_would_keep() -> None:
    """Five lines that end a sentence pass; four reject, with the count."""
    assert verdicts(C4, [SENTENCES, SENTENCES.rpartition("\n")[0]]) == [None, ("too_few_sentences", 4.0, 5.0)]


@pytest.mark.parametrize(
    "line",
    [
        "No punctuation at the end",
        "Trails off at the end...",
        "Two words.",
        "Enable JavaScript to see this page.",
        "Read our Privacy Policy for that.",
        "A word that is far too long: " + "x" * 1001 + ".",
    ],
)
def test_c4_does_not_count_lines_that_it_would_drop(line: str) -> None:
    """A dropped line adds nothing, and rejects nothing that has enough without it."""
    four = SENTENCES.rpartition("\n")[0]
    assert verdicts(C4, [f"{four}\n{line}", f"{SENTENCES}\n{line}"]) == [("too_few_sentences", 4.0, 5.0), None]


def test_c4_counts_several_sentences_in_a_line() -> None:
    """A line may hold many sentences; a quotation mark ends one; a decimal point does not."""
    assert reasons(C4, ['It is 3.5 m. Is it? Yes! "So he said." And he went "home"']) == ["too_few_sentences"]
    assert reasons(C4, ['It is 3.5 m. Is it? Yes! "So he said." And he went home.']) == [None]


@pytest.mark.parametrize(
    ("text", "reason"),
    [("Lorem Ipsum dolor", "lorem_ipsum"), ("if (a) { b }", "curly_bracket"), ("a Bad-Word here", "blocked_word")],
)
def test_c4_rejects_pages_outright(text: str, reason: str) -> None:
    """Placeholder text, curly brackets and blocked words reject whatever else the page says."""
    assert verdicts(C4, [f"{SENTENCES}\n{text}"], blocked_words=["bad-word"]) == [(reason, None, None)]


def test_c4_rules_can_be_turned_off() -> None:
    """Without its rules it rejects nothing but what is missing."""
    off = {"min_sentences": 0, "reject_lorem_ipsum": False, "reject_curly_brackets": False}
    assert reasons(C4, ["lorem ipsum { }", "", None], **off) == [None, None, "missing_text"]


LONG = "This line has certainly more than thirty characters"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (" \n ", ("no_lines", None, None)),
        ("\n".join(f"{LONG} {n}" for n in range(9)), ("few_punctuated_lines", 0.0, 0.12)),
        (f"{LONG}.\n" + "short.\nshorter.\ntiny.", ("many_short_lines", 0.75, 0.67)),
        (f"{LONG}.\n{LONG}.\n{LONG}!", ("duplicate_line_characters", pytest.approx(1 / 3), 0.1)),
        (f"{LONG}.\n\n\n\n{LONG}!", ("many_newlines", pytest.approx(4 / 16), 0.2)),
    ],
)
def test_fineweb_rejects(text: str, verdict: tuple[str, float | None, float | None]) -> None:
    """Each rule rejects past its published limit, with the number that decided."""
    limits = {"max_newline_ratio": 0.2} if verdict[0] == "many_newlines" else {}
    assert verdicts(FINEWEB, [text], **limits) == [verdict]


def test_fineweb_limits_reject_what_lies_on_them() -> None:
    """The paper's comparisons include the limit: 12 % punctuated lines, 67 % short ones, 10 % repeated characters."""
    punctuated = [f"{LONG} {n:02}" + ("." if n < 3 else "") for n in range(25)]
    short = [f"{n:02}." for n in range(67)] + [f"{LONG} {n:02}." for n in range(33)]
    assert verdicts(FINEWEB, ["\n".join(punctuated)]) == [("few_punctuated_lines", 0.12, 0.12)]
    assert verdicts(FINEWEB, ["\n".join(short)]) == [("many_short_lines", 0.67, 0.67)]
    repeated = [f"{'x' * 38}{n}." for n in range(9)] + [f"{'x' * 38}0."]
    assert verdicts(FINEWEB, ["\n".join(repeated)]) == [("duplicate_line_characters", 0.1, 0.1)]


def test_fineweb_knows_punctuation_of_other_scripts() -> None:
    """Full stops of Chinese and Devanagari end a sentence, as do closing quotation marks."""
    lines = [
        "我爱北京天安门" * 5 + "。",
        "यह एक बहुत लंबा वाक्य है जो तीस अक्षरों से अधिक है।",
        f"“{LONG}”",
    ]
    assert reasons(FINEWEB, ["\n".join(lines)], max_newline_ratio=None) == [None]


def test_blocked_words_of_scripts_without_spaces() -> None:
    """A blocked word of a script without spaces is found inside a sentence; others only whole, as before."""
    texts = ["这是网络赌博网站。", "เว็บพนันออนไลน์", "classic ass", "classic", "Glücksspiel"]
    found = reasons(C4, texts, blocked_words=["赌博", "พนัน", "ass", "glück"], min_sentences=0)
    assert found == ["blocked_word", "blocked_word", "blocked_word", None, None]
    assert reasons(C4, texts, blocked_words=["赌博"], min_sentences=0) == ["blocked_word", None, None, None, None]
