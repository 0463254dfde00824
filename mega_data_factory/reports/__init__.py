"""A run as one HTML file that opens offline, from a mail attachment, on a phone and on paper.

Names are loaded when they are asked for (PEP 562): the terminal shows the tables of this package, and needs no Plotly.

- The page: `report`, `document`, `figures`.
- Its tables and sentences: `tables`, `operator_table`, `tracked_stages`, `slice_table`, `output_columns`, `rejects`,
  `excluded`, `comparison`.
- Thresholds that can be moved: `thresholds`.
- The figures of a run in a row of a table: `run_figures`.
- A gate as JUnit XML and Markdown: `gate`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mega_data_factory import extras

if TYPE_CHECKING:
    from mega_data_factory.reports.excluded import SampleSources
    from mega_data_factory.reports.report import Report, report_name, write_report

__all__ = ["Report", "SampleSources", "report_name", "write_report"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with extras.needed_by("a report"):
        return getattr(importlib.import_module("mega_data_factory.reports.report"), name)
