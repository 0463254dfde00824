"""Send the lineage of a run as events of OpenLineage while it runs: START, RUNNING, then COMPLETE, FAIL or ABORT.

OpenLineage's client is loaded on the exporter's thread, with the first event: it takes a second, and a run need not
wait.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mega_data_factory import extras
from mega_data_factory.exports.openlineage.delivery import Delivery, Target
from mega_data_factory.framework.metrics.live.exporting import Exporter, ExportSnapshot

if TYPE_CHECKING:
    from mega_data_factory.exports.openlineage.events import Naming

DEFAULT_NAMESPACE = "default"
"""Namespace of jobs where nothing names one, as in all integrations of OpenLineage."""


def job_namespace(given: str | None) -> str:
    """Return the namespace of the job: what is given, else `OPENLINEAGE_NAMESPACE`, else `default`."""
    return given or os.environ.get("OPENLINEAGE_NAMESPACE") or DEFAULT_NAMESPACE


class OpenLineageExporter(Exporter):
    """Send events to an OpenLineage server or append them to a file.

    A resumed run continues its run of OpenLineage: the UUID follows from job and run id.

    Args:
        url: base address of the server, such as `http://marquez:5000`.
        file: local file that events are appended to instead, one a line. Without both, the environment of
            `openlineage-python` decides (`OPENLINEAGE_URL`, `OPENLINEAGE_CONFIG` …).
        endpoint: path below the address.
        api_key: sent as a bearer token.
        headers: sent with every request.
        namespace: of the job; `OPENLINEAGE_NAMESPACE`, else `default`, by default.
        job: name of the job; the pipeline's by default.
        inputs: locations that the run reads and its configuration does not name.
        outputs: locations that it writes and its configuration does not name.
        interval: seconds from one RUNNING event to the next.
        timeout: seconds of silence after which a request fails.

    Raises:
        ValueError: the target cannot be used.
    """

    def __init__(
        self,
        *,
        url: str | None = None,
        file: str | None = None,
        endpoint: str = "api/v1/lineage",
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        namespace: str | None = None,
        job: str | None = None,
        inputs: Sequence[str] = (),
        outputs: Sequence[str] = (),
        interval: float = 60.0,
        timeout: float = 5.0,
    ) -> None:
        extras.require("openlineage", "open_lineage_exporter")
        self.interval = interval
        self.patience = 2 * timeout
        self._timeout = timeout
        self._delivery = Delivery(Target(url, file, endpoint, api_key, dict(headers or {}), timeout))
        self._namespace, self._job = job_namespace(namespace), job
        self._inputs, self._outputs = tuple(inputs), tuple(outputs)
        self._started = False

    def export(self, snapshot: ExportSnapshot) -> None:
        """Send START, and from then on RUNNING.

        Raises:
            MetricsError: the target did not take the event.
        """
        if not self._started:
            self._start(snapshot)
        elif snapshot.run.status == "running":
            self._send_state(snapshot)

    def close(self, snapshot: ExportSnapshot) -> None:
        """Send the event of the end.

        Raises:
            MetricsError: the target did not take the event.
        """
        if not self._started:
            self._start(snapshot)
        self._send_state(snapshot)
        self._delivery.close(self._timeout)

    def _start(self, snapshot: ExportSnapshot) -> None:
        from mega_data_factory.exports.openlineage.events import start_event

        self._delivery.send(start_event(snapshot.run, self._naming()))
        self._started = True

    def _send_state(self, snapshot: ExportSnapshot) -> None:
        from mega_data_factory.exports.openlineage.events import state_event

        run, naming = snapshot.run, self._naming()
        columns = snapshot.details.rows("columns", run.run_id, run.heartbeat or run.start_time)
        self._delivery.send(state_event(run, snapshot.merged_operators, naming, snapshot.metrics_path, columns))

    def _naming(self) -> Naming:
        from mega_data_factory.exports.openlineage.events import Naming

        return Naming(self._namespace, self._job, self._inputs, self._outputs)
