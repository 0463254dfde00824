"""A thread that does something again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from mega_data_factory.redaction.loggers import logger

_log = logger("mega_data_factory.metrics")


class Ticker:
    """Calls `beat` at once, then every `interval` seconds, and once more in the end; late beats are left out.

    What a beat raises is logged, once for each series of failures, and the next is made all the same.

    Args:
        name: of the thread.
        interval: seconds from one beat to the next.
        beat: what is done.

    Attributes:
        interval: the same; may be changed.
    """

    def __init__(self, name: str, interval: float, beat: Callable[[], None]) -> None:
        self.interval = interval
        self._beat = beat
        self._fails = False
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self, patience: float = 5.0) -> bool:
        """Make the last beat and end.

        Args:
            patience: seconds to wait for it at most.

        Returns:
            Whether the thread has ended.
        """
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(patience)
        return not self._thread.is_alive()

    def _run(self) -> None:
        due = time.monotonic()
        while True:
            last = self._ending.is_set()
            self._attempt()
            if last:
                return
            due = max(due + self.interval, time.monotonic())
            self._ending.wait(due - time.monotonic())

    def _attempt(self) -> None:
        try:
            self._beat()
            self._fails = False
        except Exception as error:  # noqa: BLE001 - a failure to measure must not fail the run
            if not self._fails:
                _log.warning("%s: %s: %s", threading.current_thread().name, type(error).__name__, error)
            self._fails = True
