"""Pushes to a Pushgateway: whole groups, taken away at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mega_data_factory.errors import MetricsError
from mega_data_factory.exports.prometheus.pushgateway import PushgatewayExporter
from tests.exports.snapshots import Receiver, receiving, snapshot


@pytest.fixture
def gateway() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def test_a_push_replaces_the_group(gateway: Receiver) -> None:
    """A snapshot is put as text in the place of job, instance and pipeline."""
    PushgatewayExporter(url=gateway.url, instance="machine-1").export(snapshot())
    (push,) = gateway.requests
    assert (push.method, push.path) == ("PUT", "/metrics/job/mdf/instance/machine-1/pipeline/demo")
    assert push.headers["content-type"].startswith("text/plain; version=0.0.4")
    names = {family.name for family in text_string_to_metric_families(push.body.decode())}
    assert {"mdf_run_heartbeat_timestamp_seconds", "mdf_operator_latency_seconds"} <= names


def test_the_end_takes_the_group_away(gateway: Receiver) -> None:
    """When the run has ended its group is deleted."""
    exporter = PushgatewayExporter(url=gateway.url, instance="m")
    exporter.export(snapshot())
    exporter.close(snapshot(status="completed"))
    assert [request.method for request in gateway.requests] == ["PUT", "DELETE"]
    assert len({request.path for request in gateway.requests}) == 1


def test_lingering_leaves_the_final_values_for_a_scrape(gateway: Receiver) -> None:
    """With `linger` the final values are pushed first, and stay so long; a deletion tried again pushes no more."""
    exporter = PushgatewayExporter(url=gateway.url, linger=0.01)
    gateway.answer = lambda request: 500 if request.method == "DELETE" else 202
    with pytest.raises(MetricsError):
        exporter.close(snapshot(status="completed"))
    gateway.answer = 202
    exporter.close(snapshot(status="completed"))
    assert [request.method for request in gateway.requests] == ["PUT", "DELETE", "DELETE"]
    assert b'status="completed"} 1.0' in gateway.requests[0].body


def test_names_that_a_path_cannot_hold(gateway: Receiver) -> None:
    """A slash in a pipeline's name goes as base64, other characters quoted, a run id only when asked for."""
    exporter = PushgatewayExporter(url=f"{gateway.url}/prefix/", job="a b", instance="m", labels=["run_id"])
    exporter.export(snapshot(pipeline="web/2024"))
    assert gateway.requests[0].path == (
        "/prefix/metrics/job/a%20b/instance/m/pipeline@base64/d2ViLzIwMjQ=/run_id/run_1"
    )


def test_user_and_password_are_a_header(gateway: Receiver) -> None:
    """User and password of the address are sent as basic authentication and are in no message."""
    exporter = PushgatewayExporter(url=gateway.url.replace("http://", "http://me:s%20ecret@"))
    gateway.answer = 401
    with pytest.raises(MetricsError) as refused:
        exporter.export(snapshot())
    assert gateway.requests[0].headers["authorization"] == "Basic bWU6cyBlY3JldA=="
    assert "ecret" not in str(refused.value)


def test_a_refusal_says_what_was_answered(gateway: Receiver) -> None:
    """An answer that is no success is an error with its status and its text."""
    gateway.answer, gateway.body = 400, b"pushed metrics are invalid\nor inconsistent"
    with pytest.raises(MetricsError, match="answered 400 Bad Request: pushed metrics are invalid or inconsistent"):
        PushgatewayExporter(url=gateway.url).export(snapshot())


def test_redirects_are_not_followed(gateway: Receiver) -> None:
    """A redirect is an error: what is sent, secrets among it, goes to no place that nobody has named."""
    gateway.answer, gateway.headers = 302, {"Location": f"{gateway.url}/elsewhere"}
    with pytest.raises(MetricsError, match="answered 302"):
        PushgatewayExporter(url=gateway.url).export(snapshot())
    assert len(gateway.requests) == 1
