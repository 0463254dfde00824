"""What the refiners make of small texts."""

from __future__ import annotations

from typing import Any

import ftfy
import pyarrow as pa
import pytest

from mega_data_factory.errors import ConfigError
from mega_data_factory.framework.contracts import Refiner
from tests.operators.texts import ready, table_of

PAGE = (
    "<html><head><title>T</title><meta charset='{0}'></head><body><nav><a href='/x'>Home page</a></nav>"
    "<main><h1>Müller</h1><p>First paragraph of the page.</p></main>"
    "<script>var hidden = 1;</script></body></html>"
)


def refined(name: str, table: pa.Table, **params: Any) -> pa.Table:
    operator = ready(name, **params)
    assert isinstance(operator, Refiner)
    return operator.refine(table)


def pages(*html: str | bytes | None) -> pa.Table:
    return pa.table({"record_id": [str(i) for i in range(len(html))], "html": pa.array(html)})


def test_html_keeps_the_main_content_only() -> None:
    """Navigation and scripts go; headings and paragraphs stay on lines of their own."""
    text = refined("html_to_text_refiner", pages(PAGE)).column("text").to_pylist()[0]
    assert [line.strip() for line in text.splitlines() if line.strip()] == [
        "Müller",
        "First paragraph of the page.",
    ]


def test_html_without_main_content_keeps_navigation() -> None:
    """Everything visible stays when `main_content` is off."""
    text = refined("html_to_text_refiner", pages(PAGE), main_content=False).column("text").to_pylist()[0]
    assert "Home page" in text
    assert "hidden" not in text


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "utf-16"])
def test_html_bytes_are_decoded_by_detection(encoding: str) -> None:
    """Bytes give the text of the same page, whatever they are encoded in; bytes of no encoding do not crash."""
    table = pages(PAGE.format(encoding).encode(encoding), b"\xff\xfe\x00broken\x80", b"", None)
    texts = refined("html_to_text_refiner", table).column("text").to_pylist()
    assert "Müller" in texts[0]
    assert texts[2:] == ["", None]


@pytest.mark.parametrize(
    ("page", "charset", "text", "replaced"),
    [
        ("<meta charset=Shift_JIS><p>①㈱山田です", None, "①㈱山田です", 0),
        ("<p>①㈱山田です", "x-sjis", "①㈱山田です", 0),
        ("<meta charset=utf-8><p>①㈱山田です", "shift_jis", "①㈱山田です", 0),
    ],
)
def test_html_in_a_legacy_encoding(page: str, charset: str | None, text: str, replaced: int) -> None:
    """Names of encodings mean what they mean on the web; the HTTP header counts, and before the page's own word."""
    table = pages(page.encode("cp932")).append_column("charset", pa.array([charset], pa.string()))
    operator = ready("html_to_text_refiner")
    assert isinstance(operator, Refiner)
    assert operator.refine(table).column("text").to_pylist() == [text]
    assert operator.take_reported()["replaced_characters"] == replaced


def test_what_cannot_be_decoded_is_counted() -> None:
    """Each place where bytes stand for nothing is U+FFFD, and is counted."""
    operator = ready("html_to_text_refiner", charset_column=None)
    assert isinstance(operator, Refiner)
    table = pages("<p>größer".encode() * 9 + b"\xff \xe2\x82", "<p>ü".encode(), b"plain")
    assert operator.refine(table).column("text").to_pylist()[0].count("\ufffd") == 2
    assert operator.take_reported() == {
        "decoded_pages": 3,
        "pages_with_replaced_characters": 1,
        "replaced_characters": 2,
    }


def test_html_column_can_be_dropped_or_replaced() -> None:
    """`drop_html` removes the source column, except where the text has taken its place."""
    assert refined("html_to_text_refiner", pages(PAGE), drop_html=True).column_names == ["record_id", "text"]
    same = refined("html_to_text_refiner", pages("<p>a</p>"), output_column="html", drop_html=True)
    assert same.column("html").to_pylist() == ["a"]


def test_html_of_another_type_is_refused() -> None:
    """Neither text nor bytes is a mistake of the configuration."""
    with pytest.raises(ConfigError, match="not text or bytes"):
        refined("html_to_text_refiner", pa.table({"record_id": ["a"], "html": [1]}))


def test_unicode_repairs_what_is_broken_only() -> None:
    """Mojibake, entities, controls and line ends are repaired; clean text, ASCII or not, is passed on as it is."""
    texts = ["sch\xc3\xb6n", "a &amp; b", "x\r\ny\x00", "plain & clean <b>", "schön", None, ""]
    operator = ready("unicode_repair_refiner")
    assert isinstance(operator, Refiner)
    table = operator.refine(table_of(texts))
    assert table.column("text").to_pylist() == ["schön", "a & b", "x\ny", "plain & clean <b>", "schön", None, ""]
    assert operator.take_reported() == {"inspected_records": 4, "repaired_records": 3}


def test_unicode_line_by_line_gives_what_ftfy_gives() -> None:
    """Repairing suspect lines alone changes a text as ftfy changes the whole of it."""
    texts = ["a\r\n\xe2\x80\x94 b\rc\n\n", "<b>\n&amp; caf\xc3\xa9", "x\u2028y\x85z \u201cq\u201d"]
    texts += ["\r\r\n\r", "ok\n\x1b[1mé"]
    table = refined("unicode_repair_refiner", table_of(texts))
    assert table.column("text").to_pylist() == [ftfy.fix_text(text) for text in texts]


@pytest.mark.parametrize(("form", "expected"), [("NFC", "é\ufb01"), ("NFKC", "éfi"), ("NFD", "e\u0301\ufb01")])
def test_unicode_normal_form(form: str, expected: str) -> None:
    """The result has the normal form that was asked for."""
    table = table_of(["e\u0301\ufb01"])
    table = refined("unicode_repair_refiner", table, normalization=form)
    assert table.column("text").to_pylist() == [expected.replace("\ufb01", "fi")]


def test_statistics_by_hand() -> None:
    """Counts and shares of a two-line text with a wide character, of empty text, and of null."""
    table = refined("text_statistics_refiner", table_of(["Ab 12\n\u3000ö!", "", None, "one\n"]), prefix="s_")
    rows = [{k: v for k, v in row.items() if k.startswith("s_")} for row in table.to_pylist()]
    assert rows[0] == {
        "s_char_count": 9,
        "s_byte_count": 12,
        "s_word_count": 3,
        "s_line_count": 2,
        "s_mean_word_length": 2.0,
        "s_alpha_ratio": 3 / 9,
        "s_digit_ratio": 2 / 9,
        "s_whitespace_ratio": 3 / 9,
    }
    assert set(rows[1].values()) == {0}
    assert set(rows[2].values()) == {None}
    assert (rows[3]["s_line_count"], rows[3]["s_word_count"]) == (1, 1)


def test_languages_are_recognised() -> None:
    """Plain sentences get their ISO 639-1 code and a high score; text with nothing to go by gets neither."""
    texts = [
        "This is a perfectly ordinary English sentence.",
        "Das ist ein ganz gewöhnlicher deutscher Satz.",
        "Bonjour le monde, comment allez-vous ?",
        "これは普通の日本語の文です。",
        "שלום עולם, זהו משפט בעברית.",
        "",
        "12345 !!",
        "\U0001f600",
    ]
    table = refined("language_refiner", table_of(texts))
    assert table.column("language").to_pylist() == ["en", "de", "fr", "ja", "he", None, None, None]
    scores = table.column("language_score").to_pylist()
    assert min(scores[:5]) > 0.9
    assert max(scores) <= 1.0
    assert scores[5:] == [0.0, 0.0, 0.0]


def test_language_looks_at_the_beginning_only() -> None:
    """Characters past `max_chars` do not change the answer."""
    english = "This is a perfectly ordinary English sentence. "
    table = table_of([english, english + "Das ist ein ganz gewöhnlicher deutscher Satz. " * 20])
    rows = refined("language_refiner", table, max_chars=len(english)).select(["language", "language_score"]).to_pylist()
    assert rows[0] == rows[1]


def test_language_can_be_restricted() -> None:
    """The answer is one of the languages asked for; an unknown code stops the worker with its name."""
    table = refined("language_refiner", table_of(["Das ist ein Satz."]), languages=["en", "nl"])
    assert table.column("language").to_pylist()[0] in ("en", "nl")
    with pytest.raises(ValueError, match="xx"):
        ready("language_refiner", languages=["xx"])


def test_html_too_deep_is_an_error_of_the_page() -> None:
    """Deep pages raise at once, however their tags are closed; wide pages, and tags that nest nothing, do not."""
    deep = ["<div>" * 200_000, "<div>" * 300 + "deep" + "</div>" * 300, "</p>" * 500 + "<table><td>" * 200]
    for page in deep:
        with pytest.raises(ValueError, match="nested more than 250 levels deep"):
            refined("html_to_text_refiner", pages(page), max_depth=250)
    wide = ["<p>x" * 400, "<br>" * 400, "<div><b>x</b></div>" * 400, "<div>" * 200 + "x" + "</div>" * 200, "", "<"]
    texts = refined("html_to_text_refiner", pages(*wide), max_depth=250, main_content=False).column("text")
    assert texts.null_count == 0
    assert refined("html_to_text_refiner", pages("<div>" * 300 + "x"), max_depth=None, main_content=False).num_rows == 1
