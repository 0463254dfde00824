"""A store that takes connections and never answers."""

from __future__ import annotations

import contextlib
import socket
import threading


class SilentServer:
    """Accepts connections, reads what is sent if it may, and says nothing.

    Args:
        reads: whether it takes what is sent; if not, a long upload blocks.

    Attributes:
        url: where it listens.
        connections: how many were accepted.
    """

    def __init__(self, *, reads: bool = True) -> None:
        self.connections = 0
        self._reads = reads
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                self._open.append(client)
                if self._reads:
                    threading.Thread(target=_read, args=(client,), daemon=True).start()

    def close(self) -> None:
        """End all connections, and take no more."""
        self._listener.close()
        for client in self._open:
            client.close()


def _read(client: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while client.recv(1 << 16):
            pass
