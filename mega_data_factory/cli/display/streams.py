"""The standard streams of the command: open, able to encode every character, silent once the reader closes."""

# ruff: noqa: RUF001 - letters that look like ASCII are what the table is for
from __future__ import annotations

import codecs
import contextlib
import os
import sys
from typing import TextIO

_PLAIN = str.maketrans(
    {
        "─": "-", "━": "-", "│": "|", "┃": "|", "├": "|", "└": "`", "┌": ".", "┐": ".", "╭": ".", "╮": ".", "╰": "`",
        "╯": "'", "╴": "-", "╶": "-", "╸": "-", "╺": "-", "█": "#", "▇": "#", "▆": "#", "▅": "=", "▄": "=", "▃": "-",
        "▂": "_", "▁": "_", "…": "...", "·": ".", "•": "*", "→": "->", "←": "<-", "≤": "<=", "≥": ">=", "×": "x",
        "µ": "u", "μ": "u", "–": "-", "—": "-", "−": "-", "’": "'", "“": '"', "”": '"', "±": "+-", "\u00a0": " ",
        "\u202f": " ", "✓": "ok", "✗": "x", "°": "deg",
    }
)  # fmt: skip
"""Letters of ours in encodings that lack them."""

_HANDLER = "mdf-plain"


def prepare() -> None:
    """Open what is closed, and let no letter end the command.

    A cron job or a service may start it with stdout or stderr closed: then the next file that is opened would get their
    numbers. A terminal that is not UTF-8 gets other letters in place of those that it lacks.
    """
    _open_closed()
    codecs.register_error(_HANDLER, _plain)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_HANDLER)


def _open_closed() -> None:
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the least number that is free: this one
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end].translate(_PLAIN)
    return "".join(letter if letter.isascii() else "?" for letter in letters), error.end


def silence(stream: TextIO) -> None:
    """Discard everything still to be written to a stream: its reader has closed (`| head -1`)."""
    with contextlib.suppress(OSError, ValueError):
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, stream.fileno())
        os.close(sink)


def flush() -> None:
    """Write what is buffered; a closed reader is not a failure of the command."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            silence(stream)


def print_text(text: str, stream: TextIO) -> None:
    """Print a text as it is, as far as anybody reads it."""
    try:
        stream.write(f"{text}\n")
        stream.flush()
    except BrokenPipeError:
        silence(stream)
