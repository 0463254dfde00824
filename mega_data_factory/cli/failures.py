"""Printing of failures: one message, a hint, an exit code; a traceback only for faults of this package."""

from __future__ import annotations

import shutil
import sys

from mega_data_factory import strict_json
from mega_data_factory.cli.display.columns import wrapped
from mega_data_factory.cli.display.console import printable
from mega_data_factory.cli.display.streams import print_text
from mega_data_factory.errors import ConfigError, MdfError, MetricsQueryError, ResourceError, ResumeError
from mega_data_factory.redaction import without_credentials

SUCCESS = 0
RUN_FAILED = 1
USAGE = 2
INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
TERMINATED = 143  # 128 + SIGTERM


class UsageError(MdfError):
    """The command line was not understood: an unknown command, option or name."""

    slug = "usage"


def refuse_bytes(option: str, text: str) -> None:
    """Refuse an argument with bytes that are not UTF-8: no name and no record id has them.

    Raises:
        UsageError: there are some.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        shown = text.encode("utf-8", "backslashreplace").decode()
        raise UsageError(f"{option} {printable(shown)}: this is not UTF-8") from None


_TO_BE_CHANGED = (ConfigError, MetricsQueryError, ResourceError, ResumeError, UsageError)


def exit_code(error: MdfError) -> int:
    """Return 2 where the user has to change the command or the configuration, 1 if a run or a store failed."""
    return USAGE if isinstance(error, _TO_BE_CHANGED) else RUN_FAILED


def print_error(error: MdfError, *, as_json: bool) -> int:
    """Print an error on stderr, and as JSON on stdout where JSON was asked for; credentials in it are not shown.

    Returns:
        The exit code.
    """
    shown = as_json_error(error)
    print_text(_for_terminal(f"error[{error.slug}]: {shown['message']}"), sys.stderr)
    if shown["hint"]:
        print_text(_for_terminal(f"  hint: {shown['hint']}"), sys.stderr)
    if as_json:
        print_json({"error": shown})
    return exit_code(error)


def _for_terminal(text: str) -> str:
    """Return a message whose lines end between words where a terminal would break them anywhere."""
    if not sys.stderr.isatty():
        return text
    width = shutil.get_terminal_size().columns
    lines = []
    for line in text.splitlines():
        margin = line[: len(line) - len(line.lstrip())]
        lines += [margin + part for part in wrapped(line.strip(), width - len(margin))]
    return "\n".join(lines)


def as_json_error(error: MdfError) -> dict[str, str | None]:
    """Return slug, message and hint of an error, without credentials."""
    return {name: None if text is None else without_credentials(text) for name, text in error.as_dict().items()}


def print_json(value: object) -> None:
    """Print one JSON document on stdout."""
    print_text(strict_json.dumps(value, indent=2), sys.stdout)
