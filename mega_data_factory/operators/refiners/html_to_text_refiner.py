"""HTML to plain text."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from resiliparse.extract.html2text import extract_plain_text

from mega_data_factory.charsets import decode_page, load_codecs
from mega_data_factory.errors import ConfigError
from mega_data_factory.framework.contracts import OperatorContext, Refiner
from mega_data_factory.operators.columns import column_of, with_columns
from mega_data_factory.operators.examples import PAGES, example_records
from mega_data_factory.operators.parameters import check_flag, check_name, check_optional_count
from mega_data_factory.operators.refiners.html_depth import is_deeper


class HtmlToTextRefiner(Refiner):
    """Extracts the readable text of HTML pages with Resiliparse; bytes are decoded.

    Bytes are decoded by the WHATWG Encoding Standard (`shift_jis` means Windows-31J, `euc-kr` Windows-949, `iso-8859-1`
    Windows-1252): a byte order mark decides; else bytes that are valid UTF-8 are UTF-8; else the HTTP header decides,
    then the `<meta>` of the page, where most of the text fits; else the encoding is guessed. Where bytes stand for
    nothing the text has U+FFFD. The custom metrics `decoded_pages`, `pages_with_replaced_characters` and
    `replaced_characters` count them.

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
        charset_column: column with the encoding that the HTTP header of the page names, as `warc_loader` gives it; not
            used where the table has no such column, or the value is null.
        max_depth: levels of nested elements from which a page is an error, because the time for its text grows with the
            square of its depth (0.3 s at 5,000 levels, 10 s at 20,000); None for no limit.
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
        charset_column: str | None = "charset",
        max_depth: int | None = 5000,
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
        self.charset_column = None if charset_column is None else check_name("charset_column", charset_column)
        self.drop_html = check_flag("drop_html", drop_html) and html_column != output_column
        self.max_depth = check_optional_count("max_depth", max_depth, least=1)

    def setup(self, context: OperatorContext) -> None:  # noqa: ARG002 - the same wherever it runs
        """Load codecs of pages that are not UTF-8."""
        load_codecs()

    def examples(self) -> pa.Table:
        """Return made-up records for a first run."""
        return example_records(PAGES, self.html_column)

    def refine(self, table: pa.Table) -> pa.Table:
        """Add the text of every page.

        Raises:
            ConfigError: the table has no such HTML column, or it holds neither text nor bytes.
            ValueError: a page is nested too deep.
        """
        cells = column_of(table, self.html_column, "html_column").to_pylist()
        # all pages are checked before the first is extracted, so that a page that is too deep repeats no work
        pages = [
            None if cell is None else self._page_of(cell, charset)
            for cell, charset in zip(cells, self._charsets(table), strict=True)
        ]
        texts = pa.array([None if page is None else self._text_of(page) for page in pages], pa.string())
        table = with_columns(table, {self.output_column: texts})
        return table.drop_columns([self.html_column]) if self.drop_html else table

    def _charsets(self, table: pa.Table) -> list[Any]:
        """Return what HTTP headers say of the encodings, null if they say nothing."""
        if self.charset_column is None or self.charset_column not in table.column_names:
            return [None] * table.num_rows
        charsets: list[Any] = table.column(self.charset_column).to_pylist()
        return charsets

    def _page_of(self, cell: object, charset: object) -> str:
        page = self._decoded(cell, charset) if isinstance(cell, bytes) else cell
        if not isinstance(page, str):
            raise ConfigError(
                f"html_column: column `{self.html_column}` holds {type(page).__name__}, not text or bytes"
            )
        if self.max_depth is not None and is_deeper(page, self.max_depth):
            raise ValueError(f"the page is nested more than {self.max_depth:,} levels deep (max_depth)")
        return page

    def _text_of(self, page: str) -> str:
        text: str = extract_plain_text(page, **self._options)
        return text

    def _decoded(self, page: bytes, charset: object) -> str:
        """Return the page as text, and count what could not be decoded."""
        decoded = decode_page(page, charset if isinstance(charset, str) else None)
        self.report("decoded_pages", 1)
        self.report("pages_with_replaced_characters", decoded.replaced > 0)
        self.report("replaced_characters", decoded.replaced)
        return decoded.text
