"""Consoles of the command line: a terminal of any width, and plain unwrapped lines elsewhere."""

from __future__ import annotations

import sys

from rich.console import Console

from mega_data_factory.cli.display.streams import silence

UNWRAPPED = 240
"""Columns where the output is no terminal: wide enough for every table of ours."""


def stdout() -> Console:
    """Return the console for results."""
    return _console(stderr=False)


def stderr() -> Console:
    """Return the console for progress and warnings."""
    return _console(stderr=True)


class _Console(Console):
    """Falls silent where the reader of a pipe has closed; Rich would end the process."""

    def on_broken_pipe(self) -> None:
        """Send what is still to come nowhere: a run does not end because `| head` has seen enough."""
        silence(sys.stderr if self.stderr else sys.stdout)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return _Console(stderr=stderr, highlight=False, width=None if stream.isatty() else UNWRAPPED)
