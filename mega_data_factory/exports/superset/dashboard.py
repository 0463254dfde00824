"""The dashboard as Superset stores it: the place of every chart, and the native filters above them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mega_data_factory.exports.superset.charts.contents import CHARTS, SECTIONS, Section

TITLE = "Pipeline metrics"
SLUG = "pipeline-metrics"


@dataclass(frozen=True)
class DashboardFilter:
    """A filter that offers the values of a column.

    Attributes:
        key: part of its id.
        title: its label.
        dataset: whose values it offers.
        column: the column, by name, of every chart that it narrows.
        after: the key of the filter that narrows what it offers.
        ascending: whether the values are offered in this order.
    """

    key: str
    title: str
    dataset: str
    column: str
    after: str | None = None
    ascending: bool = True


DASHBOARD_FILTERS: tuple[DashboardFilter, ...] = (
    DashboardFilter("pipeline", "Pipeline", "runs", "pipeline"),
    DashboardFilter("run", "Run", "runs", "run_id", after="pipeline", ascending=False),
    DashboardFilter("stage", "Stage", "stage_history", "stage_name", after="pipeline"),
    DashboardFilter("operator", "Operator", "operator_history", "operator_name", after="stage"),
)


def filter_id(key: str) -> str:
    """Return the id of a native filter: `time`, or the key of a `DashboardFilter`."""
    return f"NATIVE_FILTER-{key}"


def layout(uuids: Mapping[str, str]) -> dict[str, Any]:
    """Return the layout of the dashboard as Superset's `position`.

    Args:
        uuids: of every chart, by title.
    """
    parts = dict(_components(SECTIONS, uuids))
    return {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": TITLE}},
        "GRID_ID": {
            "type": "GRID",
            "id": "GRID_ID",
            "children": [name for name in parts if name.startswith(("HEADER-", "ROW-"))],
            "parents": ["ROOT_ID"],
        },
        **parts,
    }


def _components(sections: Sequence[Section], uuids: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    charts = rows = 0
    grid = ["ROOT_ID", "GRID_ID"]
    for number, section in enumerate(sections, 1):
        heading = {"text": section.heading, "headerSize": "MEDIUM_HEADER", "background": "BACKGROUND_TRANSPARENT"}
        name = f"HEADER-{number}"
        yield name, {"type": "HEADER", "id": name, "children": [], "parents": grid, "meta": heading}
        for row in section.rows:
            rows += 1
            row_name = f"ROW-{rows}"
            children = []
            for placed in row.charts:
                charts += 1
                chart_name = f"CHART-{charts}"
                children.append(chart_name)
                meta = {
                    "chartId": charts,
                    "uuid": uuids[placed.chart.title],
                    "sliceName": placed.chart.title,
                    "width": placed.width,
                    "height": row.height,
                }
                yield (
                    chart_name,
                    {"type": "CHART", "id": chart_name, "children": [], "parents": [*grid, row_name], "meta": meta},
                )
            background = {"background": "BACKGROUND_TRANSPARENT"}
            yield row_name, {"type": "ROW", "id": row_name, "children": children, "parents": grid, "meta": background}


def metadata(uuids: Mapping[str, str], columns: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """Return filters, colours and the cross-filtering of charts.

    Args:
        uuids: of every dataset, by name.
        columns: of every dataset, by name: a filter leaves charts alone whose dataset lacks its column.
    """
    every = list(range(1, len(CHARTS) + 1))
    return {
        "color_scheme": "supersetColors",
        "cross_filters_enabled": True,
        "refresh_frequency": 0,
        "timed_refresh_immune_slices": [],
        "expanded_slices": {},
        "label_colors": {},
        "shared_label_colors": [],
        "default_filters": "{}",
        "chart_configuration": {},
        "global_chart_configuration": {"scope": {"rootPath": ["ROOT_ID"], "excluded": []}, "chartsInScope": every},
        "native_filter_configuration": [
            _filter("time", "Time range", "filter_time", {}, [], {"enableEmptyFilter": False}),
            *(_native_filter(choice, uuids, columns) for choice in DASHBOARD_FILTERS),
        ],
    }


def _native_filter(
    choice: DashboardFilter, uuids: Mapping[str, str], columns: Mapping[str, Collection[str]]
) -> dict[str, Any]:
    lacking = [number for number, chart in enumerate(CHARTS, 1) if choice.column not in columns[chart.dataset]]
    target = {"datasetUuid": uuids[choice.dataset], "column": {"name": choice.column}}
    control = {
        "enableEmptyFilter": False,
        "defaultToFirstItem": False,
        "multiSelect": True,
        "searchAllOptions": True,
        "inverseSelection": False,
        "sortAscending": choice.ascending,
    }
    made = _filter(choice.key, choice.title, "filter_select", target, lacking, control)
    return made | {"cascadeParentIds": [] if choice.after is None else [filter_id(choice.after)]}


def _filter(
    key: str, title: str, kind: str, target: dict[str, Any], excluded: list[int], control: dict[str, Any]
) -> dict[str, Any]:
    return {
        "id": filter_id(key),
        "name": title,
        "filterType": kind,
        "type": "NATIVE_FILTER",
        "description": "",
        "targets": [target],
        "cascadeParentIds": [],
        "controlValues": control,
        "defaultDataMask": {"extraFormData": {}, "filterState": {}, "ownState": {}},
        "scope": {"rootPath": ["ROOT_ID"], "excluded": excluded},
        "chartsInScope": [number for number in range(1, len(CHARTS) + 1) if number not in excluded],
        "tabsInScope": [],
    }
