"""A worker process of the local engine; started by `process.WorkerProcess`, not by hand.

It imports what its role needs and no more: a deduplication shard starts in a sixth of the CPU of the other workers.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from multiprocessing.connection import Connection

from mega_data_factory.framework.engines.local.messages import Job


def work(connection: Connection) -> None:
    """Receive the job, then run it until asked to stop."""
    job: Job = json.loads(connection.recv_bytes())
    if job["role"] == "claims":
        from mega_data_factory.framework.engines.local.claim_server import serve

        connection.send_bytes(json.dumps({"kind": "ready"}).encode())
        serve(job["address"], job["log"])
    else:
        from mega_data_factory.framework.engines.local.roles import run_role

        run_role(job, connection)


def _end_with_driver(lifeline: int) -> None:
    """End this process when the driver's end of the pipe closes, which it does even when the driver is killed."""

    def watch() -> None:
        os.read(lifeline, 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run(connection: int, lifeline: int) -> None:
    """Run the worker.

    Args:
        connection: file descriptor of the connection to the driver.
        lifeline: file descriptor of the pipe that closes when the driver ends.
    """
    _end_with_driver(lifeline)
    try:
        work(Connection(connection))
    except (EOFError, ConnectionError):
        return  # the driver has ended, so there is no one to answer


if __name__ == "__main__":
    run(int(sys.argv[1]), int(sys.argv[2]))
