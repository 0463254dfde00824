"""A scrape target that lives as long as the run: `http://host:port/metrics`."""

from __future__ import annotations

import functools
import gzip
import socket
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client.exposition import gzip_accepted

from mega_data_factory.errors import MetricsError
from mega_data_factory.exports.cardinality import Bounds
from mega_data_factory.exports.families import ExtraLabel, Families, Family
from mega_data_factory.exports.prometheus.exposition import exposed
from mega_data_factory.framework.metrics.live.exporting import Exporter, ExportSnapshot
from mega_data_factory.redaction.loggers import logger

_log = logger("mega_data_factory.metrics")

_SLOWEST_CLIENT = 10.0
"""Seconds that a client may take over its request."""

PATH = "/metrics"


class PrometheusExporter(Exporter):
    """Serves the newest snapshot to scrapers, in Prometheus' text format or in OpenMetrics.

    Nothing but `/metrics` is served, and nothing can be changed through it. The target is there from the start of the
    run to its end.

    Args:
        host: address to listen on; the default is reached from this machine only.
        port: port to listen on; 0 takes a free one, which the log names.
        interval: seconds from one snapshot to the next.
        linger: seconds that the end of the run waits at most for a scrape of the final values.
        labels: `run_id`, `worker_id`: labels without a bound, for who wants them.
        bounds: how many series there may be.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 9464,
        interval: float = 5.0,
        linger: float = 0.0,
        labels: Sequence[ExtraLabel] = (),
        bounds: Bounds | None = None,
    ) -> None:
        self.interval = interval
        self.patience = linger + 5.0
        self._place = host, port
        self._linger = linger
        self._families = Families(labels, bounds)
        self._page = _Page()
        self._server: _Server | None = None

    @property
    def url(self) -> str | None:
        """Address of the metrics; None while nothing is served."""
        return None if self._server is None else self._server.url

    def export(self, snapshot: ExportSnapshot) -> None:
        """Serve this snapshot from now on.

        Raises:
            MetricsError: the address cannot be listened on.
        """
        self._page.set_families(self._families.from_snapshot(snapshot))
        if self._server is None:
            self._server = _serve(self._place, self._page)
            _log.info("Prometheus may scrape %s", self._server.url)

    def close(self, snapshot: ExportSnapshot) -> None:
        """Serve the final values until they have been scraped, at most `linger` seconds; then nothing any more."""
        if self._server is None:
            return
        self._page.set_families(self._families.from_snapshot(snapshot))
        if self._linger:
            self._page.read.wait(self._linger)
        self._server.stop()
        self._server = None


class _Page:
    """Page that is served: families, rendered on request, once per snapshot and format.

    Attributes:
        read: set when a reader has got the newest families whole.
    """

    def __init__(self) -> None:
        self.set_families(())

    def set_families(self, families: Sequence[Family]) -> None:
        self._rendered = functools.lru_cache(maxsize=4)(functools.partial(exposed, families))
        self.read = threading.Event()  # a thread that reads the previous page sets the event of that page

    def render(self, accept: str | None) -> tuple[bytes, str, threading.Event]:
        read = self.read  # first: the event may be older than the families, never newer
        text, content_type = self._rendered(accept)
        return text, content_type, read


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "mdf"
    sys_version = ""
    timeout = _SLOWEST_CLIENT
    server: _Server

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != PATH:
            self.send_error(404, explain=f"metrics are at {PATH}")
            return
        text, content_type, read = self.server.page.render(self.headers.get("Accept"))
        packed = gzip_accepted(self.headers.get("Accept-Encoding", ""))
        body = gzip.compress(text, compresslevel=1) if packed else text
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        read.set()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: there is a scrape every few seconds."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a client that hangs must not hold the end of the run up

    def __init__(self, place: tuple[str, int], family: socket.AddressFamily, page: _Page) -> None:
        self.address_family = family
        self.page = page
        super().__init__(place, _Handler)
        host, port = self.server_address[:2]
        name = f"[{host!s}]" if ":" in str(host) else str(host)
        self.url = f"http://{name}:{port}{PATH}"

    def server_bind(self) -> None:
        """Bind without asking the name service for our own name, which may take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that disconnect."""
        _log.debug("a scrape of %s was broken off: %s", client_address, request, exc_info=True)

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


def _serve(place: tuple[str, int], page: _Page) -> _Server:
    host, port = place
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        server = _Server(place, family, page)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MetricsError(
            f"metrics.prometheus: cannot listen on {host}:{port}: {reason}", hint="choose another port"
        ) from error
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="prometheus", daemon=True).start()
    return server
