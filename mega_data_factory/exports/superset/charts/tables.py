"""Tables: of groups with their metrics, and of rows as they are."""

from __future__ import annotations

import json

from mega_data_factory.exports.superset.charts.chart import Chart

_TABLE = {
    "percent_metrics": [],
    "table_timestamp_format": "%Y-%m-%d %H:%M:%S",
    "show_cell_bars": True,
    "color_pn": False,
    "align_pn": False,
    "include_search": True,
    "allow_rearrange_columns": True,
    "conditional_formatting": [],
    "row_limit": 1000,
    "order_desc": True,
}


def groups(title: str, dataset: str, time: str, by: list[str], metrics: list[str], *, description: str) -> Chart:
    """Return a table with a row per group, ordered by the first metric, the least first."""
    params = {
        **_TABLE,
        "query_mode": "aggregate",
        "groupby": by,
        "metrics": metrics,
        "all_columns": [],
        "order_by_cols": [],
        "timeseries_limit_metric": metrics[0],
        "order_desc": False,
        "server_page_length": 15,
        "page_length": 15,
        "temporal_columns_lookup": {time: True},
    }
    query = {
        "columns": by,
        "metrics": metrics,
        "row_limit": _TABLE["row_limit"],
        "order_desc": False,
        "orderby": [[metrics[0], True]],
        "post_processing": [],
    }
    return Chart(title, dataset, time, "table", params, query, description)


def rows(title: str, dataset: str, time: str, columns: dict[str, str | None], *, description: str) -> Chart:
    """Return a table of rows as they are, the newest first.

    Args:
        title: of the chart.
        dataset: where from.
        time: the column of time, which orders.
        columns: what is shown, with the D3 format of numbers.
        description: what it shows.
    """
    formats = {name: {"d3NumberFormat": text} for name, text in columns.items() if text}
    params = {
        **_TABLE,
        "query_mode": "raw",
        "all_columns": list(columns),
        "groupby": [],
        "metrics": [],
        "order_by_cols": [json.dumps([time, False])],
        "page_length": 15,
        "column_config": formats,
        "show_cell_bars": False,
        "temporal_columns_lookup": {time: True},
    }
    query = {
        "columns": list(columns),
        "metrics": None,
        "row_limit": _TABLE["row_limit"],
        "orderby": [[time, False]],
        "post_processing": [],
    }
    return Chart(title, dataset, time, "table", params, query, description)
