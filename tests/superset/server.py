"""A Superset of our own: set up as the manual says, served on loopback, asked over its API."""

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from mega_data_factory.cli import main
from tests import environments
from tests.processes import end

ADMIN = {"username": "admin", "password": "admin"}
_SECONDS = 300


@dataclass
class Superset:
    """A server, and a session of its administrator.

    Attributes:
        url: where it answers.
        metrics: the metrics folder that it shows.
        bundle: what was imported.
        session: logged in.
    """

    url: str
    metrics: Path
    bundle: Path
    session: requests.Session

    def get(self, path: str) -> Any:
        answer = self.session.get(f"{self.url}/api/v1/{path}", timeout=_SECONDS)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, **content: Any) -> requests.Response:
        return self.session.post(f"{self.url}/api/v1/{path}", timeout=_SECONDS, **content)

    def charts(self) -> dict[str, int]:
        """Id of every chart by title."""
        return {chart["slice_name"]: chart["id"] for chart in self.get("chart/?q=(page_size:100)")["result"]}

    def data(self, chart: int) -> list[dict[str, Any]]:
        """The rows of a chart, as the browser would get them."""
        (result,) = self.get(f"chart/{chart}/data/?force=true")["result"]
        rows: list[dict[str, Any]] = result["data"]
        return rows

    def narrowed(self, chart: int, filters: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows of a chart to which the dashboard has added filters."""
        context = json.loads(self.get(f"chart/{chart}")["result"]["query_context"])
        context["queries"][0]["filters"] += filters
        answer = self.post("chart/data", json=context | {"force": True})
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["result"][0]["data"]
        return rows

    def sql(self, query: str) -> requests.Response:
        """Ask in SQL Lab."""
        (database,) = self.get("database/")["result"]
        asked = {"database_id": database["id"], "sql": query, "runAsync": False, "queryLimit": 1000}
        return self.post("sqllab/execute/", json=asked)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextlib.contextmanager
def serving(folder: Path, metrics: Path) -> Iterator[Superset]:
    """Export, set up, import and serve, with the commands of the manual."""
    bundle, setup = folder / "pipeline_metrics.zip", folder / "superset"
    assert main(["export", "superset", "--metrics", str(metrics), "-o", str(bundle), "--setup", str(setup)]) == 0
    (setup / "venv").symlink_to(environments.superset())
    sourced = ["bash", "-c", f". {setup / 'superset.env'} && env -0"]
    mine = {name: os.environ[name] for name in ("HOME", "LANG", "PATH") if name in os.environ}
    shown = subprocess.run(sourced, env=mine, capture_output=True, text=True, check=True).stdout
    environment = dict(line.split("=", 1) for line in shown.split("\0") if line)
    commands = (
        "superset db upgrade",
        "superset fab create-admin --username admin --password admin --firstname A --lastname B --email a@example.org",
        "superset init",
        f"superset import-dashboards -p {bundle} -u admin",
    )
    for command in commands:
        done = subprocess.run(command.split(), env=environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, f"{command}: {done.stderr[-2000:]}"
    port = free_port()
    command = f"gunicorn -w 2 -k gthread --threads 4 --timeout 120 -b 127.0.0.1:{port} superset.app:create_app()"
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command.split(), env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            url = f"http://127.0.0.1:{port}"
            with _logged_in(url, server) as session:
                yield Superset(url, metrics, bundle, session)
        finally:
            end(server, with_children=True)


def _logged_in(url: str, server: subprocess.Popen[bytes]) -> requests.Session:
    deadline = time.monotonic() + _SECONDS
    while True:
        assert server.poll() is None, "gunicorn has ended"
        try:
            if requests.get(f"{url}/health", timeout=_SECONDS).status_code == 200:
                break
        except requests.ConnectionError:  # it does not listen yet
            assert time.monotonic() < deadline, "Superset does not answer"
        time.sleep(0.2)
    session = requests.Session()
    session.headers["Accept"] = "application/json"  # else errors are pages
    token = session.post(f"{url}/api/v1/security/login", json={**ADMIN, "provider": "db"}, timeout=_SECONDS).json()
    session.headers["Authorization"] = f"Bearer {token['access_token']}"
    csrf = session.get(f"{url}/api/v1/security/csrf_token/", timeout=_SECONDS).json()["result"]
    session.headers.update({"X-CSRFToken": csrf, "Referer": url})
    return session
