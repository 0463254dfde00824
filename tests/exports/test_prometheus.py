"""The scrape target: there from the start of a run to its end, and nothing but metrics."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from mega_data_factory.errors import MetricsError
from mega_data_factory.exports.prometheus.exporter import PrometheusExporter
from tests.exports.snapshots import snapshot


@pytest.fixture
def exporter() -> Iterator[PrometheusExporter]:
    serving = PrometheusExporter(port=0)
    yield serving
    serving.close(snapshot())


def get(url: str, **headers: str) -> tuple[bytes, str]:
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read(), answer.headers.get("Content-Type")


def url_of(exporter: PrometheusExporter) -> str:
    assert exporter.url is not None
    return exporter.url


def test_the_newest_snapshot_is_served(exporter: PrometheusExporter) -> None:
    """Each scrape gives the snapshot that was exported last."""
    exporter.export(snapshot())
    assert b'mdf_run_records_total{direction="in",pipeline="demo"} 4000.0' in get(url_of(exporter))[0]
    exporter.export(snapshot(total_input_records=5000))
    assert b'mdf_run_records_total{direction="in",pipeline="demo"} 5000.0' in get(url_of(exporter))[0]


def test_a_scraper_chooses_the_format(exporter: PrometheusExporter) -> None:
    """Prometheus' text format, OpenMetrics, and gzip, as the request says."""
    exporter.export(snapshot())
    plain, kind = get(url_of(exporter))
    assert kind.startswith("text/plain; version=0.0.4")
    assert get(url_of(exporter), Accept="application/openmetrics-text; version=1.0.0")[0].endswith(b"# EOF\n")
    assert gzip.decompress(get(url_of(exporter), **{"Accept-Encoding": "gzip"})[0]) == plain


def test_nothing_else_is_served(exporter: PrometheusExporter) -> None:
    """Other paths are not found, and other methods not known."""
    exporter.export(snapshot())
    base = url_of(exporter).removesuffix("/metrics")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(f"{base}/metricsx")
    with pytest.raises(urllib.error.HTTPError, match="501"):
        urllib.request.urlopen(url_of(exporter), data=b"x", timeout=10)


def test_it_listens_on_this_machine_only_unless_told(exporter: PrometheusExporter) -> None:
    """The default address is the loopback's."""
    exporter.export(snapshot())
    assert url_of(exporter).startswith("http://127.0.0.1:")


def test_after_the_end_nothing_is_there() -> None:
    """Without `linger` the target is gone as soon as the run has ended, and its port free."""
    exporter = PrometheusExporter(port=0)
    exporter.export(snapshot())
    url = url_of(exporter)
    started = time.monotonic()
    exporter.close(snapshot(status="completed"))
    assert time.monotonic() - started < 30
    with pytest.raises(urllib.error.URLError):
        get(url)


def test_lingering_ends_with_the_scrape_of_the_final_values() -> None:
    """With `linger` the final values stay until they have been scraped once, and not longer."""
    exporter = PrometheusExporter(port=0, linger=60)
    exporter.export(snapshot())
    url = url_of(exporter)
    get(url)  # of values that are not the final ones: it does not count
    closing = threading.Thread(target=exporter.close, args=(snapshot(status="completed"),))
    closing.start()
    text = b""
    while b'status="completed"} 1.0' not in text:
        text = get(url)[0]
    closing.join(10)
    assert not closing.is_alive()


def test_lingering_has_an_end() -> None:
    """Where nobody scrapes, the run waits `linger` seconds and no longer."""
    exporter = PrometheusExporter(port=0, linger=0.1)
    exporter.export(snapshot())
    started = time.monotonic()
    exporter.close(snapshot())
    assert 0.1 <= time.monotonic() - started < 30


def test_a_port_in_use_is_an_error_until_it_is_free() -> None:
    """A port that another program holds is one clear error; the next export gets it when it is free."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        exporter = PrometheusExporter(port=other.getsockname()[1])
        with pytest.raises(MetricsError, match=r"cannot listen on 127\.0\.0\.1:\d+: Address already in use"):
            exporter.export(snapshot())
    exporter.export(snapshot())
    assert get(url_of(exporter))
    exporter.close(snapshot())


def test_a_host_that_is_none_is_an_error() -> None:
    """A name that does not resolve is an error with the name in it."""
    with pytest.raises(MetricsError, match=r"cannot listen on no\.such\.host\.invalid:0"):
        PrometheusExporter(host="no.such.host.invalid", port=0).export(snapshot())


def test_a_client_that_hangs_holds_nothing_up(exporter: PrometheusExporter) -> None:
    """Somebody who connects and says nothing keeps neither others from scraping nor the run from ending."""
    exporter.export(snapshot())
    host, port = url_of(exporter).removeprefix("http://").removesuffix("/metrics").split(":")
    with socket.create_connection((host, int(port))):
        assert get(url_of(exporter))
        started = time.monotonic()
        exporter.close(snapshot())
        assert time.monotonic() - started < 30
