"""HTML to plain text."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import bytes_to_str, detect_encoding

from mega_data_factory.errors import ConfigError
from mega_data_factory.framework.contracts import Refiner
from mega_data_factory.operators.columns import column_of, with_columns
from mega_data_factory.operators.parameters import check_flag, check_name


class HtmlToTextRefiner(Refiner):
    """Extracts the readable text of HTML pages with Resiliparse; bytes are decoded.

    Bytes that are valid UTF-8 are UTF-8; of others the encoding is declared in the page or guessed.

    Null stays null. The output column replaces one of the same name.

    Args:
        html_column: column that holds the HTML, as text or as bytes.
        output_column: column that the text goes to.
        main_content: keep only the main content, without navigation, advertisements and footers.
        preserve_formatting: keep line breaks, paragraphs and lists; otherwise the text is one line.
        list_bullets: write a bullet or number before list items.
        alt_texts: write the alternative texts of images.
        links: write the targets of links.
        drop_html: remove the HTML column afterwards.
    """

    def __init__(
        self,
        *,
        html_column: str = "html",
        output_column: str = "text",
        main_content: bool = True,
        preserve_formatting: bool = True,
        list_bullets: bool = True,
        alt_texts: bool = False,
        links: bool = False,
        drop_html: bool = False,
    ) -> None:
        self.html_column = check_name("html_column", html_column)
        self.output_column = check_name("output_column", output_column)
        self._options: dict[str, Any] = {
            "main_content": check_flag("main_content", main_content),
            "preserve_formatting": check_flag("preserve_formatting", preserve_formatting),
            "list_bullets": check_flag("list_bullets", list_bullets),
            "alt_texts": check_flag("alt_texts", alt_texts),
            "links": check_flag("links", links),
        }
        self.drop_html = check_flag("drop_html", drop_html) and html_column != output_column

    def refine(self, table: pa.Table) -> pa.Table:
        """Add the text of every page.

        Raises:
            ConfigError: the table has no such HTML column, or it holds neither text nor bytes.
        """
        pages = column_of(table, self.html_column, "html_column").to_pylist()
        texts = pa.array([None if page is None else self._text_of(page) for page in pages], pa.string())
        table = with_columns(table, {self.output_column: texts})
        return table.drop_columns([self.html_column]) if self.drop_html else table

    def _text_of(self, page: object) -> str:
        if isinstance(page, bytes):
            page = _decoded(page)
        if not isinstance(page, str):
            raise ConfigError(
                f"html_column: column `{self.html_column}` holds {type(page).__name__}, not text or bytes"
            )
        text: str = extract_plain_text(page, **self._options)
        return text


def _decoded(page: bytes) -> str:
    """The page as text; never fails, what cannot be decoded is replaced."""
    # valid UTF-8 is hardly ever anything else, unless NUL or ESC tell of UTF-16 or ISO 2022; a guess from the
    # frequencies of bytes takes a page with few letters beyond ASCII for Latin-1
    if b"\0" not in page and b"\x1b" not in page:
        try:
            return page.decode("utf-8-sig")
        except UnicodeDecodeError:
            pass
    text: str = bytes_to_str(page, detect_encoding(page, from_html_meta=True) or "utf-8")
    return text
