"""A store whose uploads break off, or are not answered: a proxy that cuts connections, or takes what is sent."""

from __future__ import annotations

import contextlib
import socket
import threading

_CHUNK = 1 << 16


class CuttingProxy:
    """Passes HTTP connections on to a server; while `cutting`, uploads reach it by half and then end.

    Args:
        port: where the server listens on the loopback interface.

    Attributes:
        cutting: whether uploads are cut now.
        cuts: how many were.
        swallows: requests whose head holds this are taken and never answered; None for none.
        url: where the proxy listens.
    """

    def __init__(self, port: int) -> None:
        self.cutting = False
        self.cuts = 0
        self.swallows: bytes | None = None
        self._server = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                for pump in (self._pump_up, self._pump_down):
                    threading.Thread(target=pump, args=(client, server), daemon=True).start()

    def _pump_up(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError), client, server:
            while chunk := client.recv(_CHUNK):
                if self.swallows is not None and self.swallows in chunk:
                    while client.recv(_CHUNK):
                        pass
                    return
                if self.cutting and chunk.startswith((b"PUT", b"POST")):
                    # the head, and what is here of the body but its last byte: the server knows that more should come
                    server.sendall(chunk if chunk.endswith(b"\r\n\r\n") else chunk[:-1])
                    self.cuts += 1
                    server.shutdown(socket.SHUT_RDWR)
                    client.shutdown(socket.SHUT_RDWR)
                    return
                server.sendall(chunk)

    def _pump_down(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := server.recv(_CHUNK):
                client.sendall(chunk)
