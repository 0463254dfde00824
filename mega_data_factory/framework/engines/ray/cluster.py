"""Connection to a Ray cluster that is running, and its nodes.

As a program (`python -m … ADDRESS`) it prints the nodes as one line of JSON: see `cluster_query`.
"""

from __future__ import annotations

import json
import logging
import socket
import sys
from dataclasses import asdict
from typing import Any

import ray

from mega_data_factory.framework.driver.resources import Machine


def connect(address: str) -> None:
    """Connect this process to a cluster.

    Args:
        address: `host:port`, `ray://host:port`, or `auto` for one that runs on this machine.

    Raises:
        OSError, ValueError, RuntimeError: No cluster answers there.
    """
    _check_reachable(address)
    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)


def _check_reachable(address: str) -> None:
    """Connect to `host:port` and hang up: Ray itself would try for minutes.

    Raises:
        OSError: Nothing listens there.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10.0).close()


def machines() -> list[Machine]:
    """Return what the nodes of the cluster offer that are alive."""
    return [_machine(node) for node in ray.nodes() if node["Alive"]]


def _machine(node: dict[str, Any]) -> Machine:
    resources = dict(node["Resources"])
    return Machine(
        cpu=resources.pop("CPU", 0.0),
        gpu=resources.pop("GPU", 0.0),
        memory=resources.pop("memory", 0.0),
        custom=resources,
    )


def first_line(error: BaseException) -> str:
    """Return the first line of an error: Ray's messages are long."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def main() -> None:
    """Print `{"machines": [...]}`, or `{"problem": text}`."""
    try:
        connect(sys.argv[1])
        answer: dict[str, Any] = {"machines": [asdict(machine) for machine in machines()]}
        ray.shutdown()
    except Exception as error:  # noqa: BLE001 - any failure to reach the cluster is the answer
        answer = {"problem": first_line(error)}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
