"""Frames from histories."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mega_data_factory.visualization.nodes.metric_names import STATUS
from mega_data_factory.visualization.nodes.selection import Selection
from mega_data_factory.visualization.nodes.tables import NodeTable, is_whole, node_table, whole_metrics

NODE, TIME = "node_id", "timestamp"
INTERVAL = "interval"


def frame_of(selection: Selection) -> pd.DataFrame:
    """Return a selection as a frame: `node_id`, `timestamp` (without a zone), and a column for each metric.

    Rows are in order of node and time; what was not measured is NaN, `status` and attributes are words or lists, and
    metrics that count are whole numbers. Where the history has thinned old points already, a row stands for `interval`
    seconds with the mean in the metric's column, and its extremes are in `<metric>_min` and `<metric>_max`; these
    columns are only there if such rows are.
    """
    tables = [node_table(selection, node) for node in selection.nodes]
    frames = [_frame(table, selection) for table in tables]
    frame = pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
    thinned = any(table.interval is not None for table in tables)
    numbers = {name for node in selection.nodes for name in selection.history.metrics(node)}
    names = [
        name
        for metric in selection.metrics
        for name in _columns(metric, thinned=thinned and metric in numbers and metric != STATUS)
    ]
    frame = frame.reindex(columns=[NODE, TIME, *([INTERVAL] if thinned else []), *names])
    if thinned:
        frame[INTERVAL] = frame[INTERVAL].fillna(0.0)
    return with_whole_numbers(
        frame, [name for metric in whole_metrics(selection) for name in _columns(metric, thinned=True)]
    )


def with_whole_numbers(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return a frame in which these columns are whole numbers, where all of their values are."""
    for name in frame.columns.intersection(names):
        values = frame[name].to_numpy(np.float64, na_value=np.nan)
        if is_whole(values):
            frame[name] = frame[name].astype("Int64" if np.isnan(values).any() else "int64")
    return frame


def _columns(metric: str, *, thinned: bool) -> list[str]:
    return [metric, f"{metric}_min", f"{metric}_max"] if thinned else [metric]


def _frame(table: NodeTable, selection: Selection) -> pd.DataFrame:
    columns: dict[str, Any] = {NODE: table.node, TIME: selection.zone.datetimes(table.times)}
    if table.interval is not None:
        columns[INTERVAL] = table.interval
    return pd.DataFrame(columns | table.columns, index=range(len(table.times)))
