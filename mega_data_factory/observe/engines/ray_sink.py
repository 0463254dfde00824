"""Delivery of accounts from the other nodes of a Ray cluster: an actor on the driver's node writes them to files."""

from __future__ import annotations

import time
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from mega_data_factory.observe.counting import wire
from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.delivery import FileDelivery
from mega_data_factory.redaction.loggers import logger

_log = logger("mega_data_factory.observe")

_START_PATIENCE = 60.0
"""Seconds that a worker waits for the actor to be there."""


class AccountSink:
    """Actor that writes accounts to a file of the folder that the driver reads.

    Args:
        folder: of the accounts of the run, on this node.
    """

    def __init__(self, folder: str) -> None:
        self._files = FileDelivery(folder)

    def put(self, lines: list[bytes]) -> None:
        """Write accounts; when this has returned they would survive the death of the actor."""
        for line in lines:
            self._files.deliver(wire.from_bytes(line))


def start_sink(name: str, folder: str) -> Any:
    """Return the actor that takes accounts from other nodes; it is started on this node, and ends with its driver.

    Args:
        name: that workers find it by.
        folder: of the accounts.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = ray.remote(AccountSink).options(
        name=name,
        get_if_exists=True,
        num_cpus=0,
        max_restarts=-1,
        max_task_retries=-1,
        scheduling_strategy=here,
    )
    return actor.remote(folder)


class SinkDelivery:
    """Way from a worker to the sink on another node.

    Args:
        name: of the sink.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._actor: Any = None
        self._failed = False

    def deliver(self, account: Account) -> None:
        """Send the account, and wait until it is written; one that is not final is not waited for."""
        try:
            if self._actor is None:
                self._actor = _find(self._name)
            written = self._actor.put.remote([wire.to_bytes(account)])
            if account.final:
                ray.get(written)
        except (RayError, ValueError) as error:
            if not self._failed:
                _log.warning("metrics of this worker are lost: %s: %s", type(error).__name__, error)
            self._failed = True


def _find(name: str) -> Any:
    """Return the actor of a name.

    Raises:
        ValueError: there is none.
    """
    deadline = time.monotonic() + _START_PATIENCE
    while True:
        try:
            return ray.get_actor(name)
        except ValueError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
