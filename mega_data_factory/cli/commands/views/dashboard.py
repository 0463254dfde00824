"""`mdf dashboard`: serve the web application and print its address."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from mega_data_factory.cli.display.console import stderr, stdout
from mega_data_factory.cli.failures import SUCCESS


def dashboard(metrics: str, *, host: str, port: int, token: str | None, names: Sequence[str]) -> int:
    """Serve until Ctrl-C or SIGTERM.

    Raises:
        MissingPackageError: Dash is not installed.
        ConfigError: the address cannot be listened on, or it needs a token.
    """
    from mega_data_factory.dashboard.server.access import TOKEN_VARIABLE
    from mega_data_factory.dashboard.server.serving import Address, serve

    def ready(address: Address) -> None:
        stdout().print(f"{metrics} is shown at {address.opening} (Ctrl-C ends it)", markup=False, soft_wrap=True)

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        serve(metrics, host=host, port=port, token=token or os.environ.get(TOKEN_VARIABLE), hosts=names, ready=ready)
    except KeyboardInterrupt:  # before it began to serve
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
    stderr().print("ended")
    return SUCCESS
