"""Encodings as the web means them, detection, and the count of what is lost."""

# ruff: noqa: RUF001 - letters that look alike are what this is about

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mega_data_factory.charsets import codec_of, decode, decode_page, decode_text, is_plain_utf_8

JAPANESE = "今日も休みです。明日は開いています。"
KOREAN = "안녕하세요 오늘은 날씨가 좋습니다."
CODECS = (
    *("utf-8", "utf-16-le", "cp874", "cp932", "cp949", "big5hkscs", "euc_jp", "gb18030", "hz", "iso2022_jp_ext"),
    *("iso2022_kr", "koi8-u", "mac-roman", "iso8859-6", *(f"cp{page}" for page in range(1250, 1259))),
)


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("Shift_JIS", "cp932"),
        ("windows-31j", "cp932"),
        ("EUC-KR", "cp949"),
        ("ks_c_5601-1987", "cp949"),
        ("gb2312", "gb18030"),
        ("big5", "big5hkscs"),
        ("ISO-8859-1", "cp1252"),
        (" 'us-ascii' ", "cp1252"),
        ("iso-8859-9", "cp1254"),
        ("tis-620", "cp874"),
        ("utf8", "utf-8"),
        ("x-mac-cyrillic", "mac-cyrillic"),
        ("cp949", "cp949"),
        ("ISO8859_1", "cp1252"),
        ("utf-7", None),
        ("rot13", None),
        ("nonsense", None),
        ("", None),
        ("a\0b", None),
    ],
)
def test_labels_mean_what_they_mean_on_the_web(label: str, codec: str | None) -> None:
    """Labels of the standard, and names that Python knows besides."""
    assert codec_of(label) == codec


@pytest.mark.parametrize(
    ("label", "data", "text", "replaced"),
    [
        ("shift_jis", b"\x87\x40\x81\x60", "①～", 0),
        ("shift_jis", b"a\xfd<", "a\ufffd<", 1),
        ("shift_jis", b"\x81<p>", "\ufffd<p>", 1),
        ("euc-jp", b"\xad\xa1\xa1\xc1\xfc\xe3", "①～髜", 0),
        ("euc-jp", b"\xa1\xdd\xff", "－\ufffd", 1),
        ("iso-2022-jp", b"\x1b$B\x2d\x21\x46\x7c\x1b(B.", "①日.", 0),
        ("euc-kr", b"\x8c\x63", "똠", 0),
        ("gbk", b"\x80\xa8\xbc\xa6\xd9", "€ḿ︐", 0),
        ("big5", b"\xa1\x45\xf9\xd6\xa3\xe1\x87\x40", "‧碁€䏰", 0),
        ("big5", b"\xc6\xd3\xc6\xa1\x92\x44", "无①\ufffdD", 1),
        ("windows-1252", b"\x80\x81\x9d", "€\x81\x9d", 0),
        ("windows-1255", b"\xca\xff\x81", "\u05ba\ufffd\x81", 1),
        ("windows-874", b"\x80\x81\xdb", "€\x81\ufffd", 1),
        ("koi8-u", b"\xae\xbe", "ўЎ", 0),
        ("utf-8", b"\xef\xbf\xbd\xff\xe2\x82", "\ufffd\ufffd\ufffd", 2),
        ("utf-16le", b"\x00\xd8a\x00b", "\ufffda\ufffd", 2),
    ],
)
def test_mappings_are_those_of_the_standard(label: str, data: bytes, text: str, replaced: int) -> None:
    """What Python maps in another way, or not at all; checked against a browser's TextDecoder."""
    codec = codec_of(label)
    assert codec is not None
    decoded = decode(data, codec)
    assert (decoded.text, decoded.replaced) == (text, replaced)


@pytest.mark.parametrize("label", ["Shift_JIS", "euc-jp", "iso-2022-jp"])
@pytest.mark.parametrize("declaration", ["header", "meta", "http-equiv", "xml", "behind a comment", "nothing"])
def test_pages_say_what_they_are_written_in(label: str, declaration: str) -> None:
    """HTTP header, `<meta>` or XML declaration; where none is, it is found."""
    heads = {
        "meta": f"<meta charset='{label}'>",
        "http-equiv": f'<META http-equiv=Content-Type content="text/html; charset={label}">',
        "xml": f'<?xml version="1.0" encoding="{label}"?>',
        "behind a comment": f"<!-- <meta charset=koi8-r> --><meta charset={label}>",
    }
    page = heads.get(declaration, "") + f"<p>{JAPANESE}"
    codec = codec_of(label)
    assert codec is not None
    decoded = decode_page(page.encode(codec), label if declaration == "header" else None)
    assert (decoded.text, decoded.encoding, decoded.replaced) == (page, codec, 0)


@pytest.mark.parametrize("charset", [None, "utf-8", "iso-8859-1", "no-such-thing"])
def test_utf_8_that_was_cut_stays_utf_8(charset: str | None) -> None:
    """One bad byte does not turn a page into another encoding, whatever its header says."""
    decoded = decode_page(f"<p>{KOREAN}§".encode()[:-1], charset)
    assert (decoded.text, decoded.encoding, decoded.replaced) == (f"<p>{KOREAN}\ufffd", "utf-8", 1)


def test_a_declaration_that_the_text_contradicts_is_not_believed() -> None:
    """A Korean page that says it is UTF-8 is read as Korean."""
    page = f"<meta charset=utf-8><p>{KOREAN}"
    assert decode_page(page.encode("cp949")).text == page


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf_16_needs_no_mark(codec: str) -> None:
    """ASCII between NULs shows it; a meta that says utf-16 in a page of bytes means UTF-8."""
    page = f"<html><body><p>{JAPANESE}</p></body></html>"
    assert decode_page(page.encode(codec)).text == page
    meta = f"<meta charset=utf-16>{JAPANESE}"
    assert decode_page(meta.encode()).text == meta


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        (KOREAN, "cp949"),
        ("똠방각하 펲시콜라를 좋아합니다", "cp949"),
        ("①㈱" + JAPANESE, "cp932"),
        (JAPANESE, "euc_jp"),
        (JAPANESE, "iso2022_jp_ext"),
        ("今天天气很好，我们去公园散步，然后一起吃午饭。", "gb18030"),
        ("今天天氣很好，我們去公園散步，然後一起吃午飯。", "big5hkscs"),
        ("Привет мир, как дела сегодня", "cp1251"),
        ("Привіт, як справи? Їжак є у лісі", "koi8-u"),
        ("Bugün hava çok güzel, öğleden sonra parka gidiyoruz", "cp1254"),
        ("สวัสดีครับ วันนี้อากาศดีมาก เราไปโรงเรียนกัน", "cp874"),
        ("price 5€ – “quoted”", "cp1252"),
        ("plain ASCII ~{ in code ~}", "utf-8"),
    ],
)
def test_text_files_are_recognized(text: str, codec: str) -> None:
    """Text in the usual encodings of many languages comes through without a character lost."""
    decoded = decode_text(text.encode(codec))
    assert (decoded.text, decoded.encoding, decoded.replaced) == (text, codec, 0)


@given(st.one_of(st.binary(), st.text().map(str.encode), st.text("a~{\x1b\0\ufeff").map(str.encode)))
def test_plain_utf_8_is_the_text(data: bytes) -> None:
    """What is taken for plain UTF-8 is decoded as that by the detection too."""
    if is_plain_utf_8(data):
        decoded = decode_text(data)
        assert (decoded.text.encode(), decoded.encoding, decoded.replaced) == (data, "utf-8", 0)
    else:
        assert not data.isascii() or {b"\0", b"\x1b", b"~{"} & {
            data[at : at + n] for at in range(len(data)) for n in (1, 2)
        }


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=80), codec=st.sampled_from(CODECS))
def test_decoding_never_fails(data: bytes, codec: str) -> None:
    """Any bytes become text that UTF-8 can hold, and nothing is replaced without being counted."""
    for decoded in (decode(data, codec), decode_page(data, codec), decode_text(data)):
        decoded.text.encode()
        if decoded.replaced == 0 and decoded.encoding not in ("gb18030", "utf-8") and "16" not in decoded.encoding:
            assert "\ufffd" not in decoded.text


@settings(max_examples=100, deadline=None)
@given(
    # escape and shift characters switch the alphabet in ISO-2022 encodings: they are not text there
    text=st.text(st.characters(codec="utf-8", exclude_characters="\ufffd\x0e\x0f\x1b")),
    codec=st.sampled_from(CODECS),
)
def test_text_survives_its_own_encoding(text: str, codec: str) -> None:
    """What can be written in an encoding is read from it, apart from characters that the standard maps otherwise."""
    data = text.encode(codec, "ignore")
    assert len(decode(data, codec).text) == len(data.decode(codec))
