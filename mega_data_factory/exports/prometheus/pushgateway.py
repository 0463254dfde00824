"""Push the metrics of a run to Prometheus' Pushgateway, for drivers that cannot be scraped."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from mega_data_factory.exports.cardinality import Bounds, label
from mega_data_factory.exports.families import ExtraLabel, Families
from mega_data_factory.exports.prometheus.exposition import exposed
from mega_data_factory.exports.transport import Sender
from mega_data_factory.framework.metrics.live.exporting import Exporter, ExportSnapshot
from mega_data_factory.host import host_name
from mega_data_factory.http import http_url


class PushgatewayExporter(Exporter):
    """Puts the newest snapshot in the place of the one before, and takes it away when the run has ended.

    The group is job, instance, pipeline (and run id, if asked for). A driver that is killed cannot take its
    group away: then `mdf_run_heartbeat_timestamp_seconds` stops, and an alert on its age tells. The next run of the
    pipeline on the machine takes the group over.

    Args:
        url: of the Pushgateway; user and password in it become basic authentication.
        job: label `job` of the group.
        instance: label `instance` of the group; the name of the machine when not given.
        interval: seconds from one push to the next.
        linger: seconds that the group stays after the final push, so that a scrape of the Pushgateway finds it.
        timeout: seconds that the Pushgateway may be silent.
        labels: `run_id`, `worker_id`: labels without a bound, for who wants them.
        bounds: how many series there may be.

    Raises:
        ValueError: the URL is none.
    """

    def __init__(
        self,
        *,
        url: str,
        job: str = "mdf",
        instance: str | None = None,
        interval: float = 15.0,
        linger: float = 0.0,
        timeout: float = 5.0,
        labels: Sequence[ExtraLabel] = (),
        bounds: Bounds | None = None,
    ) -> None:
        self.interval = interval
        self.patience = linger + 5.0
        self._linger = linger
        bare, headers = _basic_authentication(http_url(url))
        self._sender = Sender(bare, headers, timeout)
        self._group = {"job": job, "instance": instance or host_name()}
        self._with_run = "run_id" in labels
        self._families = Families(labels, bounds)
        self._pushed_last = False

    def export(self, snapshot: ExportSnapshot) -> None:
        """Push the snapshot.

        Raises:
            MetricsError: the Pushgateway did not take it.
        """
        text, content_type = exposed(self._families.from_snapshot(snapshot))
        self._sender.send("PUT", self._path(snapshot), text, Content_Type=content_type)

    def close(self, snapshot: ExportSnapshot) -> None:
        """Delete the group; with `linger`, push the final values first and leave them so long.

        Raises:
            MetricsError: the Pushgateway did not take it.
        """
        if not self._pushed_last and self._linger:
            self.export(snapshot)
            self._pushed_last = True
            time.sleep(self._linger)
        self._sender.send("DELETE", self._path(snapshot))

    def _path(self, snapshot: ExportSnapshot) -> str:
        group = {**self._group, "pipeline": label(snapshot.run.pipeline)}
        if self._with_run:
            group["run_id"] = snapshot.run.run_id
        return "/metrics" + "".join(_segment(name, value) for name, value in group.items())


def _segment(name: str, value: str) -> str:
    """Return a label of the grouping key as a part of the path; values that a path cannot hold go as base64.

    Source: Pushgateway, README, section "URL".
    """
    if value and "/" not in value:
        return f"/{name}/{quote(value, safe='')}"
    return f"/{name}@base64/{base64.urlsafe_b64encode(value.encode()).decode() or '='}"


def _basic_authentication(url: str) -> tuple[str, Mapping[str, str]]:
    """Return the URL without user and password, and the header that says them (RFC 7617)."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    secret = base64.b64encode(unquote(user).encode()).decode()
    return urlunsplit(parts._replace(netloc=host)), {"Authorization": f"Basic {secret}"}
