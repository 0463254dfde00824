"""Settings of the OTLP exporter: the configuration first, then the environment variables of OpenTelemetry.

Source: OpenTelemetry specification, "OpenTelemetry Protocol Exporter" and "Environment Variable Specification".
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from mega_data_factory.http import http_headers, http_url

Signal = Literal["metrics", "traces"]
Compression = Literal["gzip", "none"]

_PREFIX = "OTEL_EXPORTER_OTLP_"
_DEFAULT_ENDPOINT = "http://localhost:4318"
_DEFAULT_TIMEOUT = 5.0


@dataclass(frozen=True)
class Target:
    """Target of one signal: URL, headers, compression.

    Attributes:
        url: full address of the request, path included.
        headers: sent with every request.
        timeout: seconds of silence after which a request fails.
        compression: `gzip` or `none`.
    """

    url: str
    headers: Mapping[str, str]
    timeout: float
    compression: Compression


def target_of(
    signal: Signal,
    *,
    endpoint: str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float | None = None,
    compression: Compression | None = None,
    environment: Mapping[str, str] | None = None,
) -> Target:
    """Return where a signal is sent. What the configuration gives wins over the environment.

    In the environment `OTEL_EXPORTER_OTLP_{SIGNAL}_{NAME}` wins over `OTEL_EXPORTER_OTLP_{NAME}`. The endpoint of a
    signal is used as it is; to a general one `/v1/metrics` or `/v1/traces` is added.

    Args:
        signal: what is sent.
        endpoint: base address.
        headers: merged over those of the environment.
        timeout: seconds; the environment gives milliseconds.
        compression: of the body.
        environment: variables; those of the process by default.

    Raises:
        ValueError: a variable of the environment has a value that cannot be used. Names the variable.
    """
    variables = _Variables(os.environ if environment is None else environment, signal)
    variables.check_protocol()
    return Target(
        url=_url(signal, endpoint, variables),
        headers={**variables.headers(), **http_headers(headers or {})},
        timeout=variables.timeout() if timeout is None else timeout,
        compression=variables.compression() if compression is None else compression,
    )


def resource_attributes(attributes: Mapping[str, str], environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return attributes of the resource: the configuration, then `OTEL_SERVICE_NAME`, then `OTEL_RESOURCE_ATTRIBUTES`.

    Raises:
        ValueError: `OTEL_RESOURCE_ATTRIBUTES` is not a list of `key=value`.
    """
    given = os.environ if environment is None else environment
    found = _pairs("OTEL_RESOURCE_ATTRIBUTES", given.get("OTEL_RESOURCE_ATTRIBUTES", ""))
    if name := given.get("OTEL_SERVICE_NAME", "").strip():
        found["service.name"] = name
    return {**found, **attributes}


def _url(signal: Signal, endpoint: str | None, variables: _Variables) -> str:
    if endpoint is not None:
        return f"{http_url(endpoint)}/v1/{signal}"
    name, value = variables.find("ENDPOINT")
    try:
        if name == variables.own("ENDPOINT"):
            return http_url(value)
        return f"{http_url(value or _DEFAULT_ENDPOINT)}/v1/{signal}"
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


class _Variables:
    """The variables of one signal."""

    def __init__(self, environment: Mapping[str, str], signal: Signal) -> None:
        self._environment = environment
        self._signal = signal

    def own(self, setting: str) -> str:
        return f"{_PREFIX}{self._signal.upper()}_{setting}"

    def find(self, setting: str) -> tuple[str, str]:
        """Return the variable that counts and its value, which is empty if none is set; empty counts as unset."""
        for name in (self.own(setting), _PREFIX + setting):
            if value := self._environment.get(name, "").strip():
                return name, value
        return _PREFIX + setting, ""

    def check_protocol(self) -> None:
        name, value = self.find("PROTOCOL")
        if value not in ("", "http/protobuf"):
            raise ValueError(f"{name} is {value!r}, and only http/protobuf is spoken here; unset it, or change it")

    def headers(self) -> dict[str, str]:
        name, value = self.find("HEADERS")
        try:
            return http_headers(_pairs(name, value))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None

    def timeout(self) -> float:
        name, value = self.find("TIMEOUT")
        if not value:
            return _DEFAULT_TIMEOUT
        try:
            milliseconds = float(value)
        except ValueError:
            milliseconds = math.nan
        if not 0 < milliseconds < math.inf:
            raise ValueError(f"{name} is {value!r}; write milliseconds, such as 10000")
        return milliseconds / 1000

    def compression(self) -> Compression:
        name, value = self.find("COMPRESSION")
        if value in ("", "gzip"):
            return "gzip"
        if value == "none":
            return "none"
        raise ValueError(f"{name} is {value!r}; write gzip or none")


def _pairs(name: str, text: str) -> dict[str, str]:
    """Return `key=value,key=value` as a dict; values are percent-encoded (W3C Baggage)."""
    pairs: dict[str, str] = {}
    for number, item in enumerate((part for part in text.split(",") if part.strip()), start=1):
        key, equals, value = item.partition("=")
        if not equals or not key.strip():
            raise ValueError(f"{name}: item {number} is not key=value")  # and may be a secret: it is not repeated
        pairs[unquote(key.strip())] = unquote(value.strip())
    return pairs
