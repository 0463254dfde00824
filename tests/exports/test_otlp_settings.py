"""Settings of OTLP from the configuration and from the variables of OpenTelemetry."""

from __future__ import annotations

import pytest

from mega_data_factory.exports.otlp.exporter import OtlpExporter
from mega_data_factory.exports.otlp.settings import resource_attributes, target_of
from tests.exports.snapshots import receiving, snapshot
from tests.exports.test_otlp import metrics


def test_without_any_setting_the_receiver_is_on_this_machine() -> None:
    """The default is the one of the specification, packed with gzip."""
    target = target_of("metrics", environment={})
    assert (target.url, target.headers) == ("http://localhost:4318/v1/metrics", {})
    assert (target.timeout, target.compression) == (5.0, "gzip")


def test_the_variables_of_opentelemetry_are_read() -> None:
    """Endpoint, headers (percent-encoded), time-out (milliseconds) and compression come from the environment."""
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-api-key=a%20b, x-tenant=7",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "2500",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    }
    target = target_of("traces", environment=environment)
    assert target.url == "http://collector:4318/v1/traces"
    assert target.headers == {"x-api-key": "a b", "x-tenant": "7"}
    assert (target.timeout, target.compression) == (2.5, "none")


def test_a_variable_of_the_signal_wins_over_the_general_one() -> None:
    """The endpoint of a signal is used as it is; the other signal keeps the general one."""
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://prometheus:9090/api/v1/otlp/v1/metrics",
        "OTEL_EXPORTER_OTLP_METRICS_HEADERS": "a=1",
        "OTEL_EXPORTER_OTLP_HEADERS": "b=2",
    }
    of_metrics, of_traces = (target_of(signal, environment=environment) for signal in ("metrics", "traces"))
    assert of_metrics.url == "http://prometheus:9090/api/v1/otlp/v1/metrics"
    assert of_metrics.headers == {"a": "1"}
    assert of_traces.url == "http://collector:4318/v1/traces"
    assert of_traces.headers == {"b": "2"}


def test_the_configuration_wins_over_the_environment() -> None:
    """What the configuration gives counts, even where a variable of the signal says otherwise; headers are merged."""
    environment = {
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://elsewhere:1",
        "OTEL_EXPORTER_OTLP_HEADERS": "a=1,b=1",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    }
    target = target_of("metrics", endpoint="http://here:2", headers={"b": "2"}, timeout=9.0, environment=environment)
    assert (target.url, target.headers, target.timeout) == ("http://here:2/v1/metrics", {"a": "1", "b": "2"}, 9.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "nan"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%0d%0ab"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(name: str, value: str) -> None:
    """The error names the variable, so that it can be found; a header's value is never repeated."""
    with pytest.raises(ValueError, match=name) as caught:
        target_of("metrics", environment={name: value})
    assert "secret" not in str(caught.value)


def test_an_empty_variable_is_unset() -> None:
    """The specification: an empty value is as if there were none."""
    assert target_of("metrics", environment={"OTEL_EXPORTER_OTLP_ENDPOINT": ""}).url.startswith("http://localhost")


def test_service_and_attributes_come_from_the_environment() -> None:
    """`OTEL_SERVICE_NAME` wins over `OTEL_RESOURCE_ATTRIBUTES`, and the configuration over both."""
    environment = {
        "OTEL_RESOURCE_ATTRIBUTES": "service.name=a,service.namespace=n%2C1,team=data",
        "OTEL_SERVICE_NAME": "curation",
    }
    assert resource_attributes({"team": "web"}, environment) == {
        "service.name": "curation",
        "service.namespace": "n,1",
        "team": "web",
    }
    with pytest.raises(ValueError, match="OTEL_RESOURCE_ATTRIBUTES: item 2"):
        resource_attributes({}, {"OTEL_RESOURCE_ATTRIBUTES": "a=1,b"})


def test_an_exporter_without_arguments_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`otlp: {}` sends to the endpoint of the environment."""
    with receiving() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        OtlpExporter().export(snapshot())
        assert "mdf.run.records" in metrics(receiver)
        assert receiver.requests[0].path == "/v1/metrics"
