"""Log runs to MLflow: the configuration as parameters, metrics over time, the report as an artifact.

MLflow's client is loaded on the exporter's thread, at the first export: it takes a second, and a run need not wait.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mega_data_factory import extras
from mega_data_factory.exports.cardinality import Bounds
from mega_data_factory.exports.mlflow.names import metrics_of, parameters_of
from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.framework.metrics.live.exporting import Exporter, ExportSnapshot

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_MOST_PARAMETERS = 100
_MOST_METRICS = 1000
"""Limits of one request. Source: MLflow REST API, "Log Batch"."""

_LONGEST_TAG = 8000
_STATUS = {"completed": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
_RUN_ID_TAG = "mdf.run_id"


class MlflowExporter(Exporter):
    """Log a run to an MLflow tracking server, a database or a folder.

    A run that is resumed continues its MLflow run, found by the tag `mdf.run_id`.

    Args:
        tracking_uri: `http://host:5000`, `sqlite:///mlflow.db` …; `MLFLOW_TRACKING_URI` by default.
        experiment: name of the experiment, created if missing; `MLFLOW_EXPERIMENT_NAME`, else the pipeline's name by
            default.
        interval: seconds from one request to the next.
        report: whether to write the HTML report of the finished run and upload it.
        tags: further tags of the run.
    """

    def __init__(
        self,
        *,
        tracking_uri: str | None = None,
        experiment: str | None = None,
        interval: float = 15.0,
        report: bool = True,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        extras.require("mlflow", "mlflow_exporter")
        if report:
            extras.require("report", "mlflow_exporter, with its `report`,")
        self.interval = interval
        self.patience = 60.0 if report else 10.0
        self._uri = tracking_uri
        self._experiment = experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or None
        self._report = report
        self._tags = dict(tags or {})
        self._bounds = Bounds()
        self._client: MlflowClient | None = None
        self._run: str | None = None
        self._sent_last = False

    def export(self, snapshot: ExportSnapshot) -> None:
        """Log the metrics as they are now; a step is a second of the run.

        Raises:
            mlflow.exceptions.MlflowException: the server cannot be reached or refused the request.
        """
        self._log_metrics(*self._opened(snapshot), snapshot)

    def close(self, snapshot: ExportSnapshot) -> None:
        """Log the final metrics and the report, then end the MLflow run as the run ended.

        Raises:
            mlflow.exceptions.MlflowException: the server cannot be reached or refused the request.
            MetricsError: the report cannot be written.
        """
        client, run_id = self._opened(snapshot)
        if not self._sent_last:
            self._log_metrics(client, run_id, snapshot)
            for name, value in _final_tags(snapshot):
                client.set_tag(run_id, name, value[:_LONGEST_TAG])
            self._sent_last = True
        if self._report and snapshot.metrics_path is not None:
            _upload_report(client, run_id, snapshot.metrics_path, snapshot.run.run_id)
            self._report = False
        run = snapshot.run
        client.set_terminated(run_id, _STATUS.get(run.status, "FAILED"), _milliseconds(run.end_time or run.start_time))

    def _opened(self, snapshot: ExportSnapshot) -> tuple[MlflowClient, str]:
        if self._client is None:
            os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nothing is sent but to the tracking server
            from mlflow.tracking import MlflowClient

            self._client = MlflowClient(self._uri)
        if self._run is None:
            self._run = self._found_or_created(self._client, snapshot)
        return self._client, self._run

    def _found_or_created(self, client: MlflowClient, snapshot: ExportSnapshot) -> str:
        """Return the id of the MLflow run of this run, with its parameters logged."""
        run = snapshot.run
        experiment = _experiment(client, self._experiment or run.pipeline or "mega-data-factory")
        known: Mapping[str, str] = {}
        condition = f"tags.`{_RUN_ID_TAG}` = '{run.run_id.replace(chr(39), '')}'"
        if earlier := client.search_runs([experiment], condition, max_results=1):
            run_id, known = str(earlier[0].info.run_id), earlier[0].data.params
            client.update_run(run_id, status="RUNNING")
        else:
            begin = _milliseconds(run.start_time)
            tags = {_RUN_ID_TAG: run.run_id, **_tags(snapshot), **self._tags}
            run_id = str(client.create_run(experiment, begin, tags, run_name=run.run_id).info.run_id)
        _log_parameters(client, run_id, parameters_of(run.config), known)
        return run_id

    def _log_metrics(self, client: MlflowClient, run_id: str, snapshot: ExportSnapshot) -> None:
        from mlflow.entities import Metric

        moment = snapshot.run.heartbeat or snapshot.run.start_time
        step = round((moment - snapshot.run.start_time).total_seconds())
        points = [
            Metric(name, value, _milliseconds(moment), step)
            for name, value in metrics_of(snapshot, self._bounds).items()
        ]
        for first in range(0, len(points), _MOST_METRICS):
            client.log_batch(run_id, metrics=points[first : first + _MOST_METRICS])


def _experiment(client: MlflowClient, name: str) -> str:
    """Return the id of the experiment of a name; create it if it is missing."""
    from mlflow.exceptions import MlflowException

    if (found := client.get_experiment_by_name(name)) is not None:
        return str(found.experiment_id)
    try:
        return str(client.create_experiment(name))
    except MlflowException:  # a run that starts at the same time may have been first
        if (found := client.get_experiment_by_name(name)) is None:
            raise
        return str(found.experiment_id)


def _log_parameters(client: MlflowClient, run_id: str, values: Mapping[str, str], known: Mapping[str, str]) -> None:
    """Log the parameters that are not there; MLflow lets no parameter change."""
    from mlflow.entities import Param

    fresh = [Param(name, value) for name, value in values.items() if name not in known]
    for first in range(0, len(fresh), _MOST_PARAMETERS):
        client.log_batch(run_id, params=fresh[first : first + _MOST_PARAMETERS])


def _tags(snapshot: ExportSnapshot) -> dict[str, str]:
    run = snapshot.run
    named = {
        "mdf.pipeline": run.pipeline,
        "mdf.engine": run.engine,
        "mdf.version": run.mdf_version,
        "mdf.host": run.hostname,
    }
    return {name: str(value) for name, value in named.items() if value}


def _final_tags(snapshot: ExportSnapshot) -> Iterator[tuple[str, str]]:
    yield "mdf.status", snapshot.run.status
    if snapshot.run.error:
        yield "mdf.error", snapshot.run.error


def _upload_report(client: MlflowClient, mlflow_run: str, metrics_path: str, run_id: str) -> None:
    """Write the report from the metrics of the end, which the run writes at the same time, and upload it."""
    from mega_data_factory.reports import report_name, write_report

    reader = MetricsReader(metrics_path)
    _wait_until_written(reader, run_id)
    with tempfile.TemporaryDirectory(prefix="mdf-mlflow-") as folder:
        written = Path(folder) / report_name(run_id)
        write_report(reader, run_id, written)
        client.log_artifact(mlflow_run, str(written))


def _wait_until_written(reader: MetricsReader, run_id: str, patience: float = 30.0) -> None:
    """Wait until the stored row of the run says that it has ended; after `patience` seconds take what is there."""
    pause = threading.Event()
    for _ in range(int(patience / 0.1)):
        row = reader.run(run_id)
        if row is not None and row["status"] != "running":
            return
        pause.wait(0.1)


def _milliseconds(moment: datetime) -> int:
    """Return Unix milliseconds of a naive UTC time."""
    return int(moment.replace(tzinfo=UTC).timestamp() * 1000)
