"""Question to a Ray cluster, asked from a process of its own: Ray may wait for minutes, and cannot be interrupted."""

from __future__ import annotations

import json
import subprocess
import sys

from mega_data_factory.framework.driver.resources import Machine
from mega_data_factory.framework.engines.ray.environment import ClusterAddress, prepare_ray

_PROGRAM = "mega_data_factory.framework.engines.ray.cluster"


class ClusterSilent(Exception):
    """The cluster did not answer; the message says why."""


def ask_cluster(address: ClusterAddress, timeout: float = 30.0) -> list[Machine]:
    """Return the nodes of a running cluster.

    Args:
        address: of the cluster.
        timeout: Seconds to wait at most.

    Raises:
        ClusterSilent: It cannot be connected to, or takes longer than that.
    """
    prepare_ray(address)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", _PROGRAM, address.value],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ClusterSilent(f"no answer within {timeout:g} s") from None
    lines = ended.stdout.decode(errors="replace").strip().splitlines()
    try:
        answer = json.loads(lines[-1])
    except (IndexError, ValueError):
        raise ClusterSilent(f"the process that asked it ended with code {ended.returncode}") from None
    if "problem" in answer:
        raise ClusterSilent(answer["problem"])
    return [Machine(**machine) for machine in answer["machines"]]
