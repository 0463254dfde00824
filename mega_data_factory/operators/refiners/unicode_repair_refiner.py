"""Repair of broken Unicode."""

from __future__ import annotations

import re
from typing import Any

import ftfy
import polars as pl
import pyarrow as pa

from mega_data_factory.framework.contracts import Refiner
from mega_data_factory.operators.columns import text_of, to_strings, with_columns
from mega_data_factory.operators.examples import TEXTS, example_records
from mega_data_factory.operators.parameters import check_choice, check_name

_SUSPECT = r"[^\t\n\x20-\x7E]|&[A-Za-z#]"
_SUSPECT_LINE = re.compile(_SUSPECT)
_FORMS = ("NFC", "NFKC", "NFD", "NFKD", "none")


class UnicodeRepairRefiner(Refiner):
    """Repairs mojibake, HTML entities, curly quotes, line ends and control characters with ftfy.

    Text of printable ASCII without entities cannot change, is recognised by one regular expression, and is passed on
    as it is; of other text, only the lines that are not so. Entities stay where the text has a `<`, for then it is
    markup. Null stays null. Reports the custom metrics `repaired_records` and `inspected_records`.

    Args:
        text_column: column that holds the text; it is replaced.
        normalization: Unicode normal form of the result: NFC, NFKC, NFD, NFKD, or none to leave it.
    """

    def __init__(self, *, text_column: str = "text", normalization: str = "NFC") -> None:
        self.text_column = check_name("text_column", text_column)
        self.normalization = check_choice("normalization", normalization, _FORMS)
        form: Any = None if normalization == "none" else normalization
        self._plain_settings = ftfy.TextFixerConfig(normalization=form)
        self._markup_settings = ftfy.TextFixerConfig(normalization=form, unescape_html=False)

    def examples(self) -> pa.Table:
        """Return made-up records for a first run."""
        return example_records(TEXTS, self.text_column)

    def refine(self, table: pa.Table) -> pa.Table:
        """Repair the text of every record.

        Raises:
            ConfigError: the table has no such text column.
        """
        text = text_of(table, self.text_column)
        suspects = text.str.contains(_SUSPECT).fill_null(False).arg_true()
        self.report("inspected_records", len(suspects))
        if len(suspects):
            broken = text.gather(suspects)
            repaired = pl.Series([self._repaired(item) for item in broken.to_list()], dtype=pl.String)
            self.report("repaired_records", int((repaired != broken).sum()))
            text = text.scatter(suspects, repaired)
        return with_columns(table, {self.text_column: to_strings(text)})

    def _repaired(self, text: str) -> str:
        """Repair line by line, as ftfy itself does, but only the lines that can change."""
        settings = self._markup_settings if "<" in text else self._plain_settings
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return "\n".join(ftfy.fix_text(line, settings) if _SUSPECT_LINE.search(line) else line for line in lines)
