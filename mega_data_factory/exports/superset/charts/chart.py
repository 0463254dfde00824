"""A chart of Superset 6.1: what its form would hold (`params`), and the query that it sends (`query`).

The query is part of a chart because `GET /api/v1/chart/<id>/data/`, reports and alerts run it without a browser.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

ROWS = 10_000
"""Rows that a chart asks for at most."""


@dataclass(frozen=True)
class Chart:
    """One chart.

    Attributes:
        title: its name on the dashboard.
        dataset: name of its dataset.
        time: the column that a time range narrows.
        kind: Superset's name of the type.
        params: the form.
        query: what differs from the empty query.
        description: what it shows, for the tooltip of its title.
    """

    title: str
    dataset: str
    time: str
    kind: str
    params: dict[str, Any]
    query: dict[str, Any]
    description: str = field(default="", compare=False)

    @property
    def form(self) -> dict[str, Any]:
        """All of the form, with the hook that the dashboard's time range is hung on."""
        hook = {
            "clause": "WHERE",
            "expressionType": "SIMPLE",
            "operator": "TEMPORAL_RANGE",
            "subject": self.time,
            "comparator": "No filter",
        }
        return {
            "viz_type": self.kind,
            "adhoc_filters": [hook],
            "extra_form_data": {},
            "dashboards": [],
            **self.params,
        }

    @property
    def query_context(self) -> str:
        """The query as the JSON that Superset keeps; the number of the dataset is filled in by the import."""
        query = {
            "filters": [{"col": self.time, "op": "TEMPORAL_RANGE", "val": "No filter"}],
            "extras": {"having": "", "where": ""},
            "applied_time_extras": {},
            "columns": [],
            "metrics": [],
            "annotation_layers": [],
            "row_limit": ROWS,
            "series_limit": 0,
            "group_others_when_limit_reached": False,
            "order_desc": True,
            "url_params": {},
            "custom_params": {},
            "custom_form_data": {},
            **self.query,
        }
        context = {
            "datasource": {"id": 1, "type": "table"},
            "force": False,
            "queries": [query],
            "form_data": {"datasource": "1__table", **self.form},
            "result_format": "json",
            "result_type": "full",
        }
        return json.dumps(context)


def big_number(title: str, dataset: str, time: str, metric: str, number_format: str, description: str) -> Chart:
    """Show one number over everything that is chosen."""
    params = {
        "metric": metric,
        "y_axis_format": number_format,
        "header_font_size": 0.5,
        "subheader_font_size": 0.15,
        "time_format": "smart_date",
    }
    return Chart(title, dataset, time, "big_number_total", params, {"metrics": [metric]}, description)
