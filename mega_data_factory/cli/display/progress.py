"""Progress of a run: one calm screen on a terminal, elsewhere a plain line every few seconds; always on stderr."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.live import Live

from mega_data_factory.cli.display.console import stderr, stdout
from mega_data_factory.cli.display.live import LiveScreen, error_line, share_of
from mega_data_factory.formats import count, percent, plural, rate, seconds

if TYPE_CHECKING:
    from mega_data_factory.framework.executor import Progress

SECONDS_BETWEEN_LINES = 5.0


def progress_line(progress: Progress) -> str:
    """Return `12,000 read, 8,000 written, 431 passed (not yet in a file), 3,569 rejected; 3,214 /s, 4.0 s`.

    Errors and dead letters are named if there are any.
    """
    parts = [
        f"{count(progress.records_read)} read",
        f"{count(progress.records_written)} written",
        *([f"{count(progress.records_waiting)} passed (not yet in a file)"] if progress.records_waiting else []),
        f"{count(progress.records_rejected)} rejected",
    ]
    if progress.record_errors:
        parts.append(plural(progress.record_errors, "error"))
    if progress.dead_lettered:
        parts.append(f"{count(progress.dead_lettered)} dead-lettered")
    speed = progress.records_read / progress.elapsed if progress.elapsed > 0 else None
    share = "" if progress.share is None else f"; {percent(100 * progress.share)}{share_of(progress)} done"
    return f"{', '.join(parts)}; {rate(speed)}, {seconds(progress.elapsed)}{share}"


class ProgressView:
    """Shows progress while it is entered, and prints the log lines of the package between.

    Args:
        quiet: show no progress and no log line below a warning.
        lines_to_stderr: send log lines to stderr, because stdout is for JSON.
        clock: monotonic seconds.
    """

    def __init__(self, *, quiet: bool, lines_to_stderr: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._quiet = quiet
        self._lines = stderr() if lines_to_stderr else stdout()
        self._screen = stderr()
        self._clock = clock
        self._live: Live | None = None
        self._one_terminal = sys.stdout.isatty() and not lines_to_stderr
        self._last_line = clock()
        self._stages = LiveScreen(clock)
        self._errors_told = 0
        self._handler = _LogLines(self, logging.WARNING if quiet else logging.INFO)

    def __enter__(self) -> ProgressView:
        logger = logging.getLogger("mega_data_factory")
        self._level_before = logger.level
        logger.setLevel(logging.INFO)
        logger.addHandler(self._handler)
        if self._screen.is_terminal and not self._quiet:
            self._live = Live(
                get_renderable=self._live_screen,
                console=self._screen,
                transient=True,
                refresh_per_second=4,
                redirect_stdout=self._one_terminal,
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        logger = logging.getLogger("mega_data_factory")
        logger.removeHandler(self._handler)
        logger.setLevel(self._level_before)
        if self._live is not None:
            self._live.stop()

    def show(self, progress: Progress) -> None:
        """Show how far the run is."""
        if self._quiet:
            return
        if self._live is not None:
            self._stages.note(progress)
        elif self._clock() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = self._clock()
            self._screen.print(progress_line(progress), markup=False)
            if progress.record_errors > self._errors_told:
                self._errors_told = progress.record_errors
                self._screen.print(error_line(progress), markup=False)

    def _live_screen(self) -> RenderableType:
        return self._stages.screen(self._screen.width)

    def line(self, record: logging.LogRecord, text: str) -> None:
        """Print a log line: information plainly on stdout; warnings, as such, on stderr."""
        if record.levelno >= logging.WARNING:
            self._screen.print(f"{record.levelname.lower()}: {text}", markup=False, soft_wrap=True)
        else:
            # beside a live line only its own console can print without leaving a piece of it behind
            console = self._screen if self._live is not None and self._one_terminal else self._lines
            console.print(text, markup=False, soft_wrap=True)


class _LogLines(logging.Handler):
    """Hands log records to the view."""

    def __init__(self, view: ProgressView, level: int) -> None:
        super().__init__(level)
        self._view = view

    def emit(self, record: logging.LogRecord) -> None:
        """Print the record."""
        self._view.line(record, self.format(record))
