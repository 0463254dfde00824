# ruff: noqa: RUF001 - texts of these languages are meant
"""Words by Unicode's word boundaries: where they are cut, what filters make of them, and who learns that they lack."""

from __future__ import annotations

import dataclasses
import random
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from icu4py.breakers import WordBreaker

from mega_data_factory.framework.config.pipeline import PipelineConfig
from mega_data_factory.framework.contracts import Filter, Refiner
from mega_data_factory.framework.plan import make_plan
from mega_data_factory.operators.filters.language_limits import LANGUAGES, PUBLISHED_LIMITS
from mega_data_factory.operators.text.scripts import languages_by_script, unspaced
from mega_data_factory.operators.text.unicode_words import UnicodeWords
from mega_data_factory.operators.text.words import Words
from tests.operators.languages import PROSE
from tests.operators.test_family import FILTERS, READS
from tests.operators.texts import ODD_TEXTS, MemoryClaims, class_of, ready, reasons, table_of, verdicts

COUNTING = [
    "c4_quality_filter",
    "fineweb_quality_filter",
    "gopher_quality_filter",
    "gopher_repetition_filter",
    "minhash_deduplicator",
    "text_length_filter",
    "text_statistics_refiner",
]
QUALITY = COUNTING[:4]
BY_LANGUAGE = COUNTING[1:4]
TERSE = "人工智能是计算机科学的一个分支，它企图了解智能的实质。"


def cut(text: str | None) -> list[str]:
    words = UnicodeWords.from_text(pl.Series([text], dtype=pl.String))
    ends = words.starts + words.sizes
    return [words.data[a:b].tobytes().decode() for a, b in zip(words.starts, ends, strict=True)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("人工智能，是计算机科学。", "人工 智能 是 计算 机 科学"),
        ("人工知能は、科学です。", "人工 知能 は 科学 です"),
        ("ผู้คนใช้แม่น้ำสายนี้", "ผู้คน ใช้ แม่น้ำ สาย นี้"),
        ("ປະເທດລາວເປັນປະເທດ", "ປະເທດ ລາວ ເປັນ ປະເທດ"),
        ("ប្រទេសកម្ពុជាគឺជាប្រទេស", "ប្រទេស កម្ពុជា គឺជា ប្រទេស"),
        ("မြန်မာနိုင်ငံသည် နိုင်ငံ", "မြန်မာနိုင်ငံ သည် နိုင်ငံ"),
        ("བོད་ནི་ཡིན།", "བོད ནི ཡིན"),
        ("한강은, 강이다.", "한강은 강이다"),
        ("我用 Python写 unit tests。", "我 用 Python 写 unit tests"),
        ("It isn't 3.14 — e.g. computer-science!", "It isn't 3.14 e.g computer science"),
        ("e\u0301a n\u0303o", "e\u0301a n\u0303o"),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467 ok \U0001f1e9\U0001f1ea2", "ok 2"),
        ("\U00020000\U00020001\U0001f600x", "\U00020000 \U00020001 x"),
        ("2024年3月5日", "2024 年 3 月 5 日"),
        ("a\u00a0b\u3000c\r\nd\u200be", "a b c d e"),
        ("\u0301 . 。 \r", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_where_words_are_cut(text: str | None, words: str) -> None:
    """Dictionaries cut scripts without spaces, punctuation and emoji are no words, marks stay with their letter."""
    assert cut(text) == words.split()


@cache
def has(character: str, pattern: str) -> bool:
    """Whether a character has a Unicode property."""
    return bool(pl.Series([character]).str.contains(pattern)[0])


def naive(text: str) -> tuple[list[str], int, int]:
    """Cut one text with ICU's own strings; also the segments without white space, and the alphabetic words."""
    segments = list(WordBreaker(text, "und"))
    words = [s for s in segments if any(has(c, r"[\p{Alphabetic}\p{N}]") for c in s)]
    other = [s for s in segments if s not in words and not has(s[0], r"[\p{White_Space}\x{0F0B}\x{0F0C}]")]
    return words, len(words) + len(other), sum(any(has(c, r"\p{Alphabetic}") for c in s) for s in words)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.text(
            st.sampled_from("aZ9 .'\n\r\u0301\u0e31\u0e01\u0e19人は。\u200d\U0001f600\U00020000\u0f0b한"), max_size=12
        ),
        max_size=4,
    )
)
def test_a_column_is_cut_as_its_texts_alone(texts: list[str]) -> None:
    """A column gives what ICU gives text by text, whatever stands at the seams, also beyond 16 bits."""
    words = UnicodeWords.from_text(pl.Series(texts, dtype=pl.String))
    expected = [naive(text) for text in texts]
    ends = words.starts + words.sizes
    found = [words.data[a:b].tobytes().decode() for a, b in zip(words.starts, ends, strict=True)]
    assert found == [word for cut_words, _, _ in expected for word in cut_words]
    assert words.counts.tolist() == [len(cut_words) for cut_words, _, _ in expected]
    assert words.segments.tolist() == [segments for _, segments, _ in expected]
    assert words.alphabetic.tolist() == [alphabetic for _, _, alphabetic in expected]
    assert words.character_counts.tolist() == [sum(map(len, cut_words)) for cut_words, _, _ in expected]


def test_a_long_column_is_cut_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of a few bytes give the same words as one."""
    texts = pl.Series([*PROSE.values(), *ODD_TEXTS], dtype=pl.String)
    whole = UnicodeWords.from_text(texts)
    monkeypatch.setattr("mega_data_factory.operators.text.unicode_words._CHUNK_BYTES", 1000)
    parts = UnicodeWords.from_text(texts)
    for attribute in dataclasses.fields(whole):
        np.testing.assert_array_equal(getattr(parts, attribute.name), getattr(whole, attribute.name))


def test_the_language_of_a_script() -> None:
    """Every script stands for its language, ideographs with kana for Japanese, all others for en."""
    assert languages_by_script(pl.Series(list(PROSE.values()))) == [*[*PROSE][:8], "zh", "en"]
    others = pl.Series(["これ", "漢字", "", None, "123 。", "Привет", "Hello 世界 to all of you", "\U00020000"])
    assert languages_by_script(others) == ["ja", "zh", "en", "en", "en", "en", "en", "zh"]


def test_which_texts_have_no_spaces() -> None:
    """Texts mostly in scripts without spaces are told from those in other scripts of three bytes a letter."""
    texts = pl.Series([PROSE["zh"], PROSE["th"], PROSE["ko"], PROSE["en"], "हिन्दी में लिखा गया है", "", None, "ā" * 9])
    candidates = Words.from_text(texts).texts_of_wide_characters
    assert candidates.to_list() == [0, 1, 2, 4]
    assert unspaced(texts, candidates).tolist() == [True, True, False, False, False, False, False, False]


@pytest.mark.parametrize("name", QUALITY)
def test_good_prose_of_every_language_passes_in_one_table(name: str) -> None:
    """Prose of ten kinds, one of them of two languages, passes every quality filter side by side."""
    assert dict(zip(PROSE, reasons(name, list(PROSE.values()), words="unicode"), strict=True)) == dict.fromkeys(PROSE)


@pytest.mark.parametrize("language", ["zh", "ja", "th", "lo", "km", "my"])
def test_bad_text_is_rejected_in_every_language(language: str) -> None:
    """Repetition, menus, too short texts and near-duplicates are found without spaces too."""
    prose = PROSE[language]
    line = prose.split("\n")[0]
    assert reasons("gopher_repetition_filter", [line * 200], words="unicode")[0]
    assert reasons("gopher_quality_filter", [line], words="unicode") == ["too_few_words"]
    assert reasons("gopher_quality_filter", ["12345。!? " * 60 + line], words="unicode") == ["too_few_alphabetic_words"]
    last = prose.split("\n")[-1]
    other = [prose * 3, prose * 3 + last, PROSE["ko"], prose.replace(last, "") + line * 9]
    assert reasons("minhash_deduplicator", other, words="unicode", ngram_size=3)[:3] == [None, "duplicate", None]


def test_published_reproductions() -> None:
    """A sentence thirty times, ten lines of it, copies with another last letter, and 200 times in one line."""
    assert reasons("gopher_quality_filter", [TERSE * 30], words="unicode") == [None]
    assert reasons("c4_quality_filter", ["\n".join([TERSE] * 10)], words="unicode") == [None]
    assert reasons("minhash_deduplicator", [TERSE * 20 + "A", TERSE * 20 + "B"], words="unicode") == [None, "duplicate"]
    assert reasons("gopher_repetition_filter", [TERSE * 200], words="unicode") == ["top_3_gram"]


@pytest.mark.parametrize("language", [*PROSE])
def test_one_sentence_of_every_language(language: str) -> None:
    """What holds for one Chinese sentence holds for a line of every language."""
    line = PROSE[language].split("\n")[0]
    assert reasons("gopher_quality_filter", [line * 30], words="unicode") == [None]
    assert reasons("c4_quality_filter", ["\n".join([line] * 10)], words="unicode") == [None]
    copies = [PROSE[language] * 3 + "A", PROSE[language] * 3 + "B"]
    assert reasons("minhash_deduplicator", copies, words="unicode") == [None, "duplicate"]
    assert reasons("gopher_repetition_filter", [line * 200], words="unicode") != [None]


def test_text_without_words() -> None:
    """Punctuation and emoji hold no word: too few for a filter, nothing to compare for a deduplicator."""
    texts = ["。。。", "\U0001f600", "", None]
    assert reasons("text_length_filter", texts, unit="words", words="unicode") == [*["too_short"] * 3, "missing_text"]
    assert reasons("minhash_deduplicator", texts * 2, words="unicode") == [None] * 8
    assert reasons("gopher_repetition_filter", texts, words="unicode") == [None, None, None, "missing_text"]


def test_stop_words_of_any_case_and_of_several_words() -> None:
    """Stop words are found whole, without regard to case; one that is cut into several words is never found."""
    words = UnicodeWords.from_text(pl.Series(["The cat SAT. the", "ÉTÉ été", "別の人である", None]))
    texts = pl.Series(["The cat SAT. the", "ÉTÉ été", "別の人である", None])
    wanted = ["the", "sat", "été", "の", "ca", "である日本語"]
    assert words.lowercased(texts).different_of(wanted).tolist() == [2, 1, 1, 0]
    assert words.different_of([]).tolist() == [0, 0, 0, 0]
    grown = pl.Series(["İstanbul THE"])  # in lower case it has one byte more
    assert UnicodeWords.from_text(grown).lowercased(grown).different_of(["the"]).tolist() == [1]


def test_limits_given_win_over_published_ones() -> None:
    """A limit that is given holds for all languages, one given for a language for that, the published one otherwise."""
    name, texts = "gopher_quality_filter", [PROSE["zh"], PROSE["ja"], PROSE["en"]]
    assert reasons(name, texts, words="unicode", min_mean_word_length=3.0) == ["short_words", "short_words", None]
    own = {"ja": {"min_mean_word_length": 2.0}, "en": {"max_words": 10, "min_words": 5}}
    assert reasons(name, texts, words="unicode", limits_by_language=own) == [None, "short_words", "too_many_words"]
    assert reasons(name, texts, words="unicode", language="en") == ["short_words", "short_words", None]
    assert reasons(name, texts, words="unicode", language="zh") == [None, "too_few_stop_words", "too_few_stop_words"]
    found = verdicts(
        "fineweb_quality_filter",
        ["字\n" * 300 + PROSE["zh"]],
        words="unicode",
        min_punctuated_lines=None,
        max_duplicate_line_characters=None,
    )
    assert found[0] is not None
    assert (found[0][0], found[0][2]) == ("many_newlines", 0.178)


@pytest.mark.parametrize("name", BY_LANGUAGE)
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"words": "jieba"}, "words is 'jieba', not one of whitespace, unicode"),
        ({"language": "zh"}, "language needs `words: unicode`"),
        ({"words": "unicode", "language": "xx"}, "language is 'xx', not one of en, zh"),
        ({"words": "unicode", "limits_by_language": {"xx": {}}}, "limits_by_language is 'xx', not one of en"),
        ({"words": "unicode", "limits_by_language": {"zh": {"min": 1}}}, r"limits_by_language\[zh\] is"),
        ({"words": "unicode", "limits_by_language": {"zh": {"text_column": "x"}}}, r"limits_by_language\[zh\] is"),
        ({"limits_by_language": {"zh": {}}}, "limits_by_language needs `words: unicode`"),
    ],
)
def test_wrong_choices_are_refused(name: str, parameters: dict[str, object], message: str) -> None:
    """A choice that cannot work is refused when the configuration is checked, with what would."""
    with pytest.raises(ValueError, match=message):
        class_of(name)(**parameters)


def test_a_wrong_limit_of_a_language_is_named_with_it() -> None:
    """A limit that does not fit the published ones of a language is refused with the language."""
    with pytest.raises(ValueError, match="for language zh: min_mean_word_length is 6, above max_mean_word_length 5"):
        class_of("gopher_quality_filter")(words="unicode", min_mean_word_length=6)
    own = {"th": {"min_words": "many"}}
    with pytest.raises(ValueError, match="for language th: min_words is 'many'"):
        class_of("gopher_quality_filter")(words="unicode", limits_by_language=own)


@pytest.mark.parametrize("language", PUBLISHED_LIMITS)
def test_published_limits_are_parameters(language: str) -> None:
    """Every published limit is a parameter of a filter, and every filter accepts those that it has."""
    taken: set[str] = set()
    for name in BY_LANGUAGE:
        operator = class_of(name)(words="unicode", language=language)
        taken |= set(type(operator).__signature__.parameters)
    assert PUBLISHED_LIMITS[language].keys() <= taken
    assert language in LANGUAGES
    assert all(cut(word) == [word] for word in PUBLISHED_LIMITS[language].get("stop_words", []))


@pytest.mark.parametrize("name", COUNTING)
def test_two_halves_give_what_the_whole_gives(name: str) -> None:
    """Splitting a table changes nothing, whatever the texts and languages in it."""
    texts = [*ODD_TEXTS, *PROSE.values()]
    random.Random(3).shuffle(texts)
    parameters: dict[str, Any] = {"words": "unicode"} | (
        {"unit": "words", "min_length": 60} if name == "text_length_filter" else {}
    )

    def outcome(table: pa.Table, claims: MemoryClaims) -> list[object]:
        operator = ready(name, claims, **parameters)
        if isinstance(operator, Refiner):
            return list(operator.refine(table).to_pylist())
        assert isinstance(operator, Filter)
        return list(operator.judge(table).reason.to_pylist())

    table, claims = table_of(texts), MemoryClaims()
    half = table.num_rows // 2
    parts = outcome(table.slice(0, half), claims) + outcome(table.slice(half), claims)
    assert parts == outcome(table, MemoryClaims())


def test_statistics_of_unicode_words() -> None:
    """Words and their length leave punctuation out; shares of characters are as with the other kind of words."""
    refiner = ready("text_statistics_refiner", words="unicode")
    other = ready("text_statistics_refiner")
    assert isinstance(refiner, Refiner)
    assert isinstance(other, Refiner)
    table = table_of(["人工智能，是计算机科学。\u3000x", "", None])
    rows, plain = refiner.refine(table).to_pylist(), other.refine(table).to_pylist()
    assert [row["word_count"] for row in rows] == [7, 0, None]
    assert rows[0]["mean_word_length"] == pytest.approx(11 / 7)
    for share in ("alpha_ratio", "digit_ratio", "whitespace_ratio", "char_count", "byte_count", "line_count"):
        assert [row[share] for row in rows] == [row[share] for row in plain]


def test_sentences_of_scripts_without_full_stops() -> None:
    """Ideographic and Tibetan stops end sentences without a space, in Thai a space does; ASCII needs one."""
    five = ["一句话说完。" * 5, "จบแล้ว " * 5, "བོད་ནི་ཡིན།" * 5, "How is it? " * 5]
    four = ["一句话说完。" * 4, "จบแล้ว " * 4, "བོད་ནི་ཡིན།" * 4, "How is it?" * 5]
    found = reasons("c4_quality_filter", five + four, words="unicode", min_words_per_line=2)
    assert found == [None] * 4 + ["too_few_sentences"] * 4


@pytest.mark.parametrize("name", [name for name in COUNTING if name in FILTERS or name not in READS])
def test_texts_without_spaces_are_noticed(name: str) -> None:
    """With words between spaces every operator counts the texts that have none; with Unicode's it does not."""
    texts = [PROSE["zh"], PROSE["th"], PROSE["en"], None]
    parameters: dict[str, Any] = {"unit": "words", "min_length": 60} if name == "text_length_filter" else {}
    for words, records in (("whitespace", 2), ("unicode", 0)):
        operator = ready(name, words=words, **parameters)
        operator.judge(table_of(texts)) if isinstance(operator, Filter) else operator.refine(table_of(texts))  # type: ignore[attr-defined]
        assert operator.take_reported(only_noticed=True).get("unspaced_records", 0) == records
    rejects = ready("gopher_quality_filter")
    assert isinstance(rejects, Filter)
    rejects.judge(table_of(texts))
    assert rejects.take_reported() == {"unspaced_records": 2, "unspaced_rejects": 2}


MANUAL = (Path(__file__).parents[2] / "docs" / "languages.md").read_text(encoding="utf-8")


def test_the_manual_has_the_limits_and_configurations_that_work() -> None:
    """The page on languages lists every published number, and its examples resolve to a plan."""
    for language, limits in PUBLISHED_LIMITS.items():
        (row,) = re.findall(rf"^\| `{language}` \|(.*)\|$", MANUAL, re.MULTILINE)
        numbers = [float(number) for number in re.findall(r"[\d.]+", row.replace("off", ""))]
        ngrams = [*limits["max_top_ngram"].values(), *limits["max_duplicate_ngram"].values()]
        expected = [limits["min_mean_word_length"], limits["max_mean_word_length"], limits["min_alphabetic_words"]]
        expected += [limits["max_duplicate_lines"], *ngrams]
        expected += [limits["min_punctuated_lines"]] if limits["min_punctuated_lines"] else []
        assert numbers == [*expected, limits["max_newline_ratio"]]
    pipeline, operators = (
        yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", MANUAL, re.MULTILINE | re.DOTALL)
    )
    make_plan(PipelineConfig.from_dict(pipeline))
    pipeline["stages"][0]["operators"] = operators
    make_plan(PipelineConfig.from_dict(pipeline))
