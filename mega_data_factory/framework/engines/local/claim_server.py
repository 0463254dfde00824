"""Deduplication state of the local engine: shard processes that workers reach over Unix sockets."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Client, Connection, Listener

from mega_data_factory.errors import OutputError, WorkerLostError
from mega_data_factory.framework.worker.claims import ClaimShard, Send, ShardedClaims

_VERBS = {"claim": b"c", "release": b"r", "holders": b"h"}
_CLAIM, _HOLDERS = _VERBS["claim"], _VERBS["holders"]
_DONE, _UNWRITABLE = b"+", b"!"
"""First byte of an answer: what was asked is done, or the log of the shard cannot be written."""


def serve(address: str, log_path: str) -> None:
    """Serve one shard on a Unix socket until the process ends.

    A shard that comes back after a kill finds its socket still lying there, and takes its place.
    """
    shard = ClaimShard(log_path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(address)  # noqa: PTH108 - a socket, not a file of ours
    with Listener(address, family="AF_UNIX", backlog=128) as listener:
        while True:
            connection = listener.accept()
            threading.Thread(target=_answer, args=(shard, connection), daemon=True).start()


def _answer(shard: ClaimShard, connection: Connection) -> None:
    with contextlib.suppress(EOFError, ConnectionError), connection:
        while True:
            message = connection.recv_bytes()
            try:
                if message[:1] == _CLAIM:
                    answer = shard.claim(message[1:])
                elif message[:1] == _HOLDERS:
                    answer = shard.holders(message[1:])
                else:
                    shard.release(message[1:])
                    answer = b""
            except (OSError, OutputError) as error:
                reason = error.message if isinstance(error, OutputError) else error.strerror or str(error)
                connection.send_bytes(_UNWRITABLE + reason.encode())
                os._exit(1)  # it holds more than its log: it comes back with what the log holds, or not at all
            connection.send_bytes(_DONE + answer)


def connect(addresses: Sequence[str], patience: float = 60.0) -> ShardedClaims:
    """Return claims over the shards at these addresses.

    Args:
        addresses: sockets of the shards.
        patience: seconds to wait for a shard that is being restarted.

    Raises:
        OutputError: a shard cannot write its log; raised by the claims.
        WorkerLostError: a shard is not restarted in time.
    """
    return ShardedClaims([_connect_shard(address, patience) for address in addresses])


def _connect_shard(address: str, patience: float) -> Send:
    connection: Connection | None = None

    def call(verb: str, packed: bytes) -> bytes:
        nonlocal connection
        deadline = time.monotonic() + patience
        while True:
            try:
                if connection is None:
                    connection = Client(address, family="AF_UNIX")
                connection.send_bytes(_VERBS[verb] + packed)
                answer = connection.recv_bytes()
            except (EOFError, OSError) as error:
                # The shard died. Whether it had taken the claim or not, asking again gives the same answer.
                if connection is not None:
                    connection.close()
                connection = None
                if time.monotonic() > deadline:
                    raise WorkerLostError(f"a deduplication shard did not come back in {patience:.0f} s") from error
                time.sleep(0.02)
                continue
            if answer[:1] == _UNWRITABLE:
                reason = answer[1:].decode(errors="replace")
                raise OutputError(
                    f"the log of deduplication claims cannot be written: {reason}",
                    hint="the log is in the folder _state of the output: free some space there, or see why its store "
                    "does not take it, then resume the run",
                )
            return answer[1:]

    call("claim", b"")  # wait for the shard now, not in the time of the first batch
    return call
