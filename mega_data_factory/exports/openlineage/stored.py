"""Lineage of stored runs, sent afterwards: observed runs, killed ones, and those of a time without an exporter."""

from __future__ import annotations

from mega_data_factory.exports.openlineage.delivery import Delivery
from mega_data_factory.exports.openlineage.events import Naming, start_event, state_event
from mega_data_factory.framework.metrics import MetricsReader


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
    run, operators = levels.run_metrics(), levels.operator_metrics()
    columns = reader.details("columns", run.run_id).to_pylist()
    events = [start_event(run, naming), state_event(run, operators, naming, str(reader.path), columns)]
    for event in events:
        delivery.send(event)
    return [event.eventType.value for event in events if event.eventType is not None]
