"""The environment that Ray reads when it is imported; so this comes before the import, and imports no Ray."""

from __future__ import annotations

import atexit
import os
import secrets
import sys
from dataclasses import dataclass

from mega_data_factory.framework.engines.local.spool import SpoolFolder

_ADDRESS = "RAY_ADDRESS"


@dataclass(frozen=True)
class ClusterAddress:
    """Address of a running cluster.

    Attributes:
        value: `host:port`, `ray://host:port`, or `auto` for one that runs on this machine.
        source: the key of the configuration or the environment variable that gives it, for messages.
    """

    value: str
    source: str

    def __str__(self) -> str:
        """Return the cluster for a message, with the source unless that is the configuration."""
        return f"the cluster at {self.value}" + (f" (from {_ADDRESS})" if self.source == _ADDRESS else "")


def cluster_address(configured: str | None) -> ClusterAddress | None:
    """Return the address to connect to, as `ray.init` finds it; None if a cluster is to be started here.

    The environment variable RAY_ADDRESS counts where the configuration has no address, or `auto`; `local` starts a
    cluster. Unlike `ray.init`, a cluster that happens to run on this machine is joined for `auto` only.

    Args:
        configured: `executor.ray_address`.
    """
    address = ClusterAddress(configured, "executor.ray_address") if configured else None
    if configured in (None, "auto") and (given := os.environ.get(_ADDRESS)):
        address = ClusterAddress(given, _ADDRESS)
    return None if address is None or address.value == "local" else address


def prepare_ray(address: ClusterAddress | None) -> None:
    """Settle what Ray takes from the environment, where the user has not: no telemetry, little talk, a private token.

    Ray would put the token of a cluster that it starts into the home folder, readable by all; here it lies in a folder
    of this process, which goes when the process does. A cluster that is running already has its own.

    Args:
        address: of the cluster to connect to; None when one is started.
    """
    if "ray" in sys.modules:
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    if address is None and "RAY_AUTH_MODE" not in os.environ:
        folder = SpoolFolder(prefix="mdf-ray-")  # which sweeps what killed drivers have left
        atexit.register(folder.remove)
        token = folder.path / "token"
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
