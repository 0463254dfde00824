"""Delivery of events through the transports of `openlineage-python`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mega_data_factory.errors import MetricsError
from mega_data_factory.http import http_headers, http_url

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import RunEvent

_VARIABLES = ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG", "OPENLINEAGE__TRANSPORT")
_CONFIG_FILES = ("openlineage.yml", "~/.openlineage/openlineage.yml")


@dataclass(frozen=True)
class Target:
    """Where events go: one of `url` and `file`, or what the environment of `openlineage-python` says.

    Attributes:
        url: base address of a server, such as Marquez.
        file: local file that events are appended to, one a line.
        endpoint: path below the address.
        api_key: sent as a bearer token.
        headers: sent with every request.
        timeout: seconds of silence after which a request fails.

    Raises:
        ValueError: neither is given and the environment names no transport, both are, or one cannot be used.
    """

    url: str | None = None
    file: str | None = None
    endpoint: str = "api/v1/lineage"
    api_key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 5.0

    def __post_init__(self) -> None:
        if self.url is not None and self.file is not None:
            raise ValueError("give either url or file, not both")
        if self.url is not None:
            http_url(self.url)
        elif self.file is None and not _is_configured_outside():
            raise ValueError("give url or file, or set OPENLINEAGE_URL")
        http_headers(self.headers)

    def transport(self) -> dict[str, Any] | None:
        """Return the settings of the transport; None if the environment has them."""
        if self.file is not None:
            return {"type": "file", "log_file_path": str(Path(self.file).expanduser()), "append": True}
        if self.url is None:
            return None
        found: dict[str, Any] = {
            "type": "http",
            "url": http_url(self.url) + "/",
            "endpoint": self.endpoint.lstrip("/"),
            "timeout": self.timeout,
            "custom_headers": dict(self.headers),
            "retry": {"total": 0, "connect": 0, "read": 0},  # the exporter's thread retries
        }
        if self.api_key is not None:
            found["auth"] = {"type": "api_key", "apiKey": self.api_key}
        return found


class Delivery:
    """Sends events to a target.

    The client is imported with the first event: that takes a second.

    Args:
        target: where to.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._client: OpenLineageClient | None = None

    def send(self, event: RunEvent) -> None:
        """Send an event.

        Raises:
            MetricsError: the target did not take it.
        """
        try:
            if self._client is None:
                self._client = self._connected()
            self._client.emit(event)
        except Exception as error:
            # transports raise whatever their library does: requests, urllib3, fsspec, Kafka …
            raise MetricsError(f"OpenLineage: {type(error).__name__}: {error}") from error

    def close(self, timeout: float) -> None:
        """Wait at most `timeout` seconds until everything is sent, and release the connection."""
        if self._client is not None:
            self._client.close(timeout)

    def _connected(self) -> OpenLineageClient:
        from openlineage.client import OpenLineageClient
        from openlineage.client.transport import get_default_factory

        settings = self._target.transport()
        if settings is None:
            return OpenLineageClient()
        return OpenLineageClient(transport=get_default_factory().create(settings))


def _is_configured_outside() -> bool:
    """Return whether variables or files name a transport, where `openlineage-python` looks for them."""
    if any(name.startswith(_VARIABLES) for name in os.environ):
        return True
    return any(Path(name).expanduser().is_file() for name in _CONFIG_FILES)
