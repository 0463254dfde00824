"""A frame as an Excel workbook of one sheet."""

from __future__ import annotations

import math
from typing import Any, BinaryIO

import pandas as pd

from mega_data_factory import extras
from mega_data_factory.errors import VisualizationError

_MOST_ROWS = 1_048_576  # of a sheet, its heading included


def write_excel(frame: pd.DataFrame, sink: BinaryIO) -> None:
    """Write a frame; text stays text, also where it begins with `=`.

    Raises:
        MissingPackageError: openpyxl is not installed.
        VisualizationError: there are more rows than a sheet holds.
    """
    with extras.needed_by("a .xlsx file"):
        import openpyxl
        from openpyxl.cell import WriteOnlyCell
    if len(frame) >= _MOST_ROWS:
        message = f"{len(frame):,} rows are more than an Excel sheet holds"
        raise VisualizationError(message, hint="choose a time range or nodes, or write .csv or .parquet")
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("metrics")
    sheet.freeze_panes = "A2"

    def cell(value: Any) -> Any:
        if isinstance(value, list):
            value = ", ".join(map(str, value))
        if isinstance(value, str):
            made = WriteOnlyCell(sheet, value)
            made.data_type = "s"  # else a node id that begins with `=` is run as a formula
            return made
        if isinstance(value, pd.Timestamp):
            return value.to_pydatetime(warn=False)
        return None if value is pd.NA or (isinstance(value, float) and not math.isfinite(value)) else value

    sheet.append([cell(str(name)) for name in frame.columns])
    for row in frame.itertuples(index=False):
        sheet.append([cell(value) for value in row])
    book.save(sink)
