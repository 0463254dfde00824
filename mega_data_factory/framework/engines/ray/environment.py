"""The environment that Ray reads when it is imported; so this comes before the import, and imports no Ray."""

from __future__ import annotations

import atexit
import os
import secrets
import sys

from mega_data_factory.framework.engines.local.spool import SpoolFolder


def prepare_ray(address: str | None) -> None:
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
