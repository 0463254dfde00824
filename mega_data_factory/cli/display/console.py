"""Consoles of the command line: a terminal of any width, and plain unwrapped lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from mega_data_factory.cli.display.streams import silence

UNWRAPPED = 240
"""Columns where the output is no terminal: wide enough for every table of ours."""


def stdout() -> Console:
    """Return the console for results."""
    return _console(stderr=False)


def stderr() -> Console:
    """Return the console for progress and warnings."""
    return _console(stderr=True)


_OBEYED = (*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_SHOWN = dict.fromkeys(_OBEYED, "\N{REPLACEMENT CHARACTER}")
"""What is shown for characters that a terminal obeys: control codes but line ends and tabs, turns of direction."""


def printable(text: str) -> str:
    """Return a text without the characters that would steer a terminal: a space in the place of each."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


class _Console(Console):
    """Shows what is in the data, and obeys none of it; falls silent where the reader of a pipe has closed."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Yield the segments of a renderable; characters in their text that a terminal would obey are replaced.

        Names of columns, values of slices and reasons come from records, which may hold escape sequences.
        """
        for segment in super().render(renderable, options):
            if segment.control or not segment.text or segment.text.isprintable():
                yield segment
            else:
                yield Segment(segment.text.translate(_SHOWN), segment.style)

    def on_broken_pipe(self) -> None:
        """Send what is still to come nowhere: a run does not end because `| head` has seen enough."""
        silence(sys.stderr if self.stderr else sys.stdout)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return _Console(stderr=stderr, highlight=False, width=None if stream.isatty() else UNWRAPPED)
