"""Prometheus and its Pushgateway as they come from the distribution, on loopback, ended with the test."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.exports.test_runs import free_port
from tests.processes import end

Found = list[dict[str, Any]]


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
        return text


@contextmanager
def started(command: Sequence[str], ready: str) -> Iterator[None]:
    """A program, from when `ready` answers until it is ended."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None, f"{command[0]} ended: {process.stderr.read()}"
            assert time.monotonic() < deadline, f"{command[0]} does not answer"
            try:
                fetch(ready)
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        yield
    finally:
        end(process)
        process.stderr.close()


@dataclass
class Prometheus:
    """A server that scrapes.

    Attributes:
        url: of its API.
    """

    url: str

    def query(self, expr: str, at: float | None = None) -> Found:
        """The answer of an instant query: a list of series with `metric` and `value` or `values`."""
        parameters = {"query": expr} | ({} if at is None else {"time": repr(at)})
        text = fetch(f"{self.url}/api/v1/query?{urllib.parse.urlencode(parameters)}")
        found: Found = json.loads(text)["data"]["result"]
        return found

    def eventually(self, expr: str) -> Found:
        """The answer as soon as there is one."""
        deadline = time.monotonic() + 90
        while not (found := self.query(expr)):
            assert time.monotonic() < deadline, f"there is no answer to {expr}"
            time.sleep(0.1)
        return found


@contextmanager
def prometheus(folder: Path, targets: Sequence[str], rules: str) -> Iterator[Prometheus]:
    """A Prometheus that scrapes `host:port` targets five times a second and evaluates rules every second."""
    (folder / "rules.yml").write_text(rules, encoding="utf-8")
    config = {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": "mdf", "honor_labels": True, "static_configs": [{"targets": list(targets)}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    with started(command, f"http://{address}/-/ready"):
        yield Prometheus(f"http://{address}")


@contextmanager
def pushgateway() -> Iterator[str]:
    """A Pushgateway; its address."""
    address = f"127.0.0.1:{free_port()}"
    with started(["prometheus-pushgateway", f"--web.listen-address={address}"], f"http://{address}/-/ready"):
        yield f"http://{address}"
