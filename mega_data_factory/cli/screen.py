"""Where the command line prints: a terminal as wide as it is, and elsewhere plain lines that nothing wraps."""

from __future__ import annotations

import sys

from rich.console import Console

UNWRAPPED = 200
"""Columns where the output is no terminal: wide enough for every table of ours."""


def stdout() -> Console:
    """The console for results."""
    return _console(stderr=False)


def stderr() -> Console:
    """The console for progress and warnings."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, width=None if stream.isatty() else UNWRAPPED)
