"""Charts with two axes: lines, bars, boxes and heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mega_data_factory.exports.superset.charts.chart import ROWS, Chart

_AXES = {
    "x_axis_title_margin": 16,
    "y_axis_title_margin": 50,  # less lies over the labels of the ticks
    "y_axis_title_position": "Left",
}

_EVERY = {
    "order_desc": True,
    "row_limit": ROWS,
    "truncate_metric": True,
    "show_empty_columns": True,
    "annotation_layers": [],
    "color_scheme": "supersetColors",
    "only_total": True,
    "legendType": "scroll",
    "legendOrientation": "top",
    "rich_tooltip": True,
    **_AXES,
}
"""Parameters that lines and bars share."""

_LINES = {
    **_EVERY,
    "time_grain_sqla": None,
    "x_axis_sort_asc": True,
    "comparison_type": "values",
    "seriesType": "line",
    "opacity": 0.2,
    "markerSize": 5,
    "show_legend": True,
    "x_axis_time_format": "%b %d %H:%M",
    "tooltipTimeFormat": "%Y-%m-%d %H:%M:%S",
    "truncateXAxis": True,
    "sort_series_type": "name",
    "sort_series_ascending": True,
}

_BARS = {**_EVERY, "x_axis_force_categorical": True, "xAxisLabelInterval": "0", "y_axis_bounds": [None, None]}


def dots(
    title: str,
    dataset: str,
    time: str,
    metric: str,
    by: Sequence[str],
    *,
    y_title: str,
    number_format: str,
    bounds: tuple[float | None, float | None] = (None, None),
    description: str = "",
) -> Chart:
    """Return a chart of a metric over time with a dot for every moment, coloured by the values of some columns.

    A line would break at every moment at which only others have a point, such as the run of another pipeline: Superset
    pivots the series into one table and draws no line across its gaps.

    Args:
        title: of the chart.
        dataset: where from.
        time: the column that a time range narrows, and the x axis.
        metric: the metric.
        by: the columns of which every combination of values gets a colour.
        y_title: what the y axis measures, with its unit.
        number_format: of the y axis, D3.
        bounds: of the y axis.
        description: what it shows.
    """
    params = {**_LINES, **_y_axis(y_title, number_format, bounds), **_series(time, metric, by, marker=8)}
    return Chart(
        title, dataset, time, "echarts_timeseries_scatter", params, _series_query(time, metric, by), description
    )


def line(
    title: str,
    dataset: str,
    time: str,
    metric: str,
    by: str,
    *,
    x: str,
    x_title: str,
    y_title: str,
    number_format: str,
    bounds: tuple[float | None, float | None] = (None, None),
    description: str = "",
) -> Chart:
    """Return a chart of a metric over a number, such as elapsed seconds, with a line for every value of a column.

    Args:
        title: of the chart.
        dataset: where from.
        time: the column that a time range narrows.
        metric: the metric.
        by: the column of which every value gets a line.
        x: the column of numbers along the x axis.
        x_title: what it measures, with its unit.
        y_title: what the y axis measures, with its unit.
        number_format: of the y axis, D3.
        bounds: of the y axis.
        description: what it shows.
    """
    params = {
        **_LINES,
        **_y_axis(y_title, number_format, bounds),
        **_series(x, metric, [by], marker=3),  # a run of a second is a single point
        "x_axis_title": x_title,
        "x_axis_title_margin": 30,
    }
    return Chart(title, dataset, time, "echarts_timeseries_line", params, _series_query(x, metric, [by]), description)


def _series(x: str, metric: str, by: Sequence[str], *, marker: int) -> dict[str, Any]:
    """Return the parameters of a series for every combination of values of `by`, with dots `marker` pixels wide."""
    return {"x_axis": x, "metrics": [metric], "groupby": list(by), "markerEnabled": True, "markerSize": marker}


def _y_axis(title: str, number_format: str, bounds: tuple[float | None, float | None]) -> dict[str, Any]:
    return {
        "y_axis_title": title,
        "y_axis_format": number_format,
        "y_axis_bounds": list(bounds),
        "truncateYAxis": bounds != (None, None),
    }


def _series_query(x: str, metric: str, by: Sequence[str]) -> dict[str, Any]:
    return {
        "columns": [_axis(x), *by],
        "metrics": [metric],
        "series_columns": list(by),
        "time_offsets": [],
        "orderby": [[metric, False]],
        "post_processing": [
            _pivot(x, [metric], list(by)),
            {"operation": "rename", "options": {"columns": {metric: None}, "level": 0, "inplace": True}},
            {"operation": "flatten"},
        ],
    }


def bars(
    title: str,
    dataset: str,
    time: str,
    x: str,
    metrics: list[str],
    *,
    value_title: str,
    number_format: str,
    horizontal: bool = False,
    description: str = "",
) -> Chart:
    """Return a bar of each metric for every value of a column, in the order of the first metric, the largest first.

    Args:
        title: of the chart.
        dataset: where from.
        time: the column that a time range narrows.
        x: the column.
        metrics: lengths of bars.
        value_title: what they measure, with its unit.
        number_format: of the values, D3.
        horizontal: for names that are long.
        description: what it shows.
    """
    params = {
        **_BARS,
        "x_axis": x,
        "metrics": metrics,
        "groupby": [],
        "x_axis_sort": metrics[0],
        "x_axis_sort_asc": horizontal,  # a horizontal axis begins below
        "orientation": "horizontal" if horizontal else "vertical",
        "show_value": len(metrics) == 1,  # beside each other they would overlap
        "show_legend": len(metrics) > 1,
        "y_axis_format": number_format,
        "y_axis_title": value_title,
        **({"y_axis_title_margin": 30} if horizontal else {}),
    }
    query = {
        "columns": [_axis(x)],
        "metrics": metrics,
        "series_columns": [],
        "time_offsets": [],
        "orderby": [[metrics[0], False]],
        "post_processing": [
            _pivot(x, metrics, []),
            {"operation": "sort", "options": {"by": metrics[0], "ascending": horizontal}},
            {"operation": "flatten"},
        ],
    }
    return Chart(title, dataset, time, "echarts_timeseries_bar", params, query, description)


def boxes(
    title: str,
    dataset: str,
    time: str,
    by: str,
    points: list[str],
    metrics: list[str],
    *,
    y_title: str,
    description: str,
) -> Chart:
    """Draw for every value of a column a box of each metric over points: quartiles, with whiskers to the extremes."""
    params = {
        "columns": points,
        "groupby": [by],
        "metrics": metrics,
        "whiskerOptions": "Min/max (no outliers)",
        "x_ticks_layout": "staggered",  # a flat layout leaves labels out
        "series_limit": 0,
        "row_limit": ROWS,
        "number_format": ",.3~f",
        "date_format": "smart_date",
        "color_scheme": "supersetColors",
        "time_grain_sqla": "P1D",
        "y_axis_title": y_title,
        **_AXES,
    }
    query = {
        "extras": {"time_grain_sqla": "P1D", "having": "", "where": ""},
        "columns": [*points, by],
        "metrics": metrics,
        "series_columns": [by],
        "post_processing": [
            {"operation": "boxplot", "options": {"whisker_type": "min/max", "groupby": [by], "metrics": metrics}}
        ],
    }
    return Chart(title, dataset, time, "box_plot", params, query, description)


def heat_map(
    title: str, dataset: str, time: str, by: str, metric: str, *, number_format: str, description: str
) -> Chart:
    """Return a chart of a metric as colour: a column for every value of `time`, a row for every value of `by`."""
    params = {
        "x_axis": time,
        "groupby": by,
        "metric": metric,
        "row_limit": ROWS,
        "sort_x_axis": "alpha_asc",
        "sort_y_axis": "alpha_desc",  # the first at the top
        "normalize_across": "heatmap",
        "legend_type": "continuous",
        "linear_color_scheme": "superset_seq_1",
        "xscale_interval": -1,
        "yscale_interval": -1,
        "left_margin": "auto",
        "bottom_margin": "auto",
        "value_bounds": [None, None],
        "y_axis_format": number_format,
        "x_axis_time_format": "%b %d %H:%M",
        "show_legend": True,
        "show_values": False,  # of a hundred runs they would overlap; the tooltip has them
        "show_percentage": False,
        "normalized": False,
    }
    query = {
        "columns": [_axis(time), by],
        "metrics": [metric],
        "orderby": [[time, True], [by, False]],
        "post_processing": [{"operation": "rank", "options": {"metric": metric}}],
    }
    return Chart(title, dataset, time, "heatmap_v2", params, query, description)


def _axis(column: str) -> dict[str, Any]:
    return {
        "columnType": "BASE_AXIS",
        "sqlExpression": column,
        "label": column,
        "expressionType": "SQL",
        "isColumnReference": True,
    }


def _pivot(index: str, metrics: list[str], columns: list[str]) -> dict[str, Any]:
    options = {
        "index": [index],
        "columns": columns,
        "aggregates": {metric: {"operator": "mean"} for metric in metrics},
        "drop_missing_columns": False,
    }
    return {"operation": "pivot", "options": options}
