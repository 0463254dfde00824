"""Character encodings of web pages and text files: labels, decoding with a count of replaced characters, detection.

Sources: WHATWG Encoding Standard (labels and mappings); WHATWG HTML, section 13.2.3.2, "Determining the character
encoding" (the order of byte order mark, HTTP header and `<meta>`). Differences, each because a corpus is not a browser:
bytes that are valid UTF-8 are UTF-8 despite any declaration; a declaration that most of the text contradicts is not
believed; HZ and ISO-2022-KR, which browsers refuse for security, are decoded.

| question | module |
|---|---|
| text of a page or a file in an unknown encoding | `reading` |
| which encoding bytes look like | `detection` |
| bytes of a known encoding as text | `decoding`, `repairs` |
| what a label stands for | `labels` |
| byte order marks | `marks` |
"""

from __future__ import annotations

from mega_data_factory.charsets.decoding import Decoded, decode
from mega_data_factory.charsets.labels import codec_of
from mega_data_factory.charsets.marks import marked_encoding
from mega_data_factory.charsets.reading import decode_page, decode_text, is_plain_utf_8, load_codecs

__all__ = [
    "Decoded",
    "codec_of",
    "decode",
    "decode_page",
    "decode_text",
    "is_plain_utf_8",
    "load_codecs",
    "marked_encoding",
]
