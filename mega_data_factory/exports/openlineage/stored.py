"""Lineage of stored runs, sent afterwards: observed runs, killed ones, and those of a time without an exporter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from mega_data_factory.exports.openlineage.delivery import Delivery
from mega_data_factory.exports.openlineage.events import Naming, start_event, state_event
from mega_data_factory.framework.metrics import MetricsReader, OperatorMetrics, RunMetrics
from mega_data_factory.framework.metrics.schema import to_rows


def send_stored_run(reader: MetricsReader, run_id: str, delivery: Delivery, naming: Naming) -> list[str]:
    """Send the events of a stored run: its start, and the state that it is in.

    Sending a run again sends the same events again: the server keeps one run.

    Args:
        reader: of the metrics.
        run_id: as for `MetricsReader.run`.
        delivery: sends them.
        naming: names of job and datasets.

    Returns:
        The types of the events: `START`, and `COMPLETE`, `FAIL`, `ABORT` or `RUNNING`.

    Raises:
        MetricsQueryError: there is no such run.
        MetricsError: the target did not take an event.
    """
    levels = reader.levels(run_id)
    run = RunMetrics(**_known(levels.run, RunMetrics))
    operators = [OperatorMetrics.from_dict(_known(row, OperatorMetrics)) for row in to_rows(levels.operators)]
    columns = reader.details("columns", run.run_id).to_pylist()
    events = [start_event(run, naming), state_event(run, operators, naming, str(reader.path), columns)]
    for event in events:
        delivery.send(event)
    return [event.eventType.value for event in events if event.eventType is not None]


def _known(row: Mapping[str, Any], kind: type[RunMetrics | OperatorMetrics]) -> dict[str, Any]:
    names = {column.name for column in fields(kind)}
    return {name: value for name, value in row.items() if name in names}
