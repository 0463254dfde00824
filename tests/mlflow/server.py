"""A real MLflow over SQLite, in an environment of its own, on loopback, ended with the test."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import environments
from tests.exports.test_runs import free_port
from tests.processes import end


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """Run `mlflow server`; yield its address once it answers."""
    home = environments.mlflow()
    port = free_port()
    command = [
        str(home / "bin" / "mlflow"),
        "server",
        f"--backend-store-uri=sqlite:///{folder / 'mlflow.db'}",
        f"--artifacts-destination={folder / 'artifacts'}",
        "--host=127.0.0.1",
        f"--port={port}",
        "--workers=1",
    ]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "PATH": f"{home / 'bin'}:{os.environ['PATH']}"}
    environment.pop("PYTHONPATH", None)
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(process, url, folder / "server.log")
        yield url
    finally:
        end(process, with_children=True)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 300  # its first start compiles what it imports
    while True:
        assert process.poll() is None, f"MLflow ended: {log.read_text()}"
        assert time.monotonic() < deadline, f"MLflow does not answer: {log.read_text()}"
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)


def ask(url: str, path: str, **content: Any) -> dict[str, Any]:
    """Ask MLflow's REST API: GET without content, else POST."""
    body = json.dumps(content).encode() if content else None
    request = urllib.request.Request(f"{url}/api/2.0/{path}", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, Any] = json.loads(answer.read())
        return found
