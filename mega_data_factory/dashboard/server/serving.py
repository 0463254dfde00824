"""Serve the dashboard until it is stopped."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import waitress

from mega_data_factory.dashboard.app import create_app
from mega_data_factory.dashboard.server.access import checked_token, is_loopback
from mega_data_factory.errors import ConfigError
from mega_data_factory.host import host_name
from mega_data_factory.storage import Location

_THREADS = 8
_LAST_PORT = 65535


@dataclass(frozen=True)
class Address:
    """Address of a dashboard.

    Attributes:
        url: without a token.
        token: what has to be shown; None if nothing has.
    """

    url: str
    token: str | None

    @property
    def opening(self) -> str:
        """The address to open first: it carries the token into a cookie."""
        return f"{self.url}?token={self.token}" if self.token else self.url


def serve(
    path: Location,
    *,
    host: str = "127.0.0.1",
    port: int = 8050,
    token: str | None = None,
    hosts: Sequence[str] = (),
    ready: Callable[[Address], None] = lambda _: None,
) -> None:
    """Serve until the process is interrupted.

    Args:
        path: the metrics folder, local or an fsspec URI.
        host: address to listen on; one that other machines reach needs a token.
        port: port to listen on; 0 for any that is free.
        token: what browsers have to show.
        hosts: host names of the dashboard behind a proxy.
        ready: called with the address once the server listens.

    Raises:
        ConfigError: there is no token though other machines reach the address, or it cannot be listened on.
    """
    token = checked_token(host, token)
    with contextlib.closing(_listening(host, port)) as listener:
        app = create_app(path, token=token, hosts=hosts)
        try:
            logging.getLogger("waitress").setLevel(logging.ERROR)
            server = waitress.create_server(app.server, sockets=[listener], threads=_THREADS, ident="")
            ready(Address(url_of(host, listener.getsockname()[1]), token))
            with contextlib.closing(server):
                server.run()  # until SIGINT, or the SIGTERM that is turned into one
        finally:
            app.server.config["store"].stop()


def _listening(host: str, port: int) -> socket.socket:
    name = host.strip("[]")
    family = socket.AF_INET6 if ":" in name else socket.AF_INET
    if not 0 <= port <= _LAST_PORT:
        raise ConfigError(f"there is no port {port}", hint=f"ports are 0 to {_LAST_PORT}; 0 takes any that is free")
    try:
        return socket.create_server((name, port), family=family)
    except OSError as error:
        why = (error.strerror or str(error)).partition(" (while")[0]
        ours = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        hint = "--host takes an address of this machine" if ours else "--port 0 takes any port that is free"
        raise ConfigError(f"cannot listen on {host}:{port}: {why}", hint=hint) from error


def url_of(host: str, port: int) -> str:
    """Return the address to open: of a server that listens everywhere, with the name of this machine."""
    name = host if is_loopback(host) else host_name() if host in ("0.0.0.0", "::") else host  # noqa: S104
    return f"http://{f'[{name}]' if ':' in name.strip('[]') and not name.startswith('[') else name}:{port}/"
