"""How a failure is told: one message, a hint, an exit code; a traceback only where the fault is ours."""

from __future__ import annotations

import json
import sys
from datetime import date

from mega_data_factory.errors import ConfigError, MdfError, MetricsQueryError, ResourceError, ResumeError

SUCCESS = 0
RUN_FAILED = 1
USAGE = 2
INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
TERMINATED = 143  # 128 + SIGTERM


class UsageError(MdfError):
    """The command line was not understood: an unknown command, option or name."""

    slug = "usage"


_TO_BE_CHANGED = (ConfigError, MetricsQueryError, ResourceError, ResumeError, UsageError)


def exit_code(error: MdfError) -> int:
    """2 where the user has to change the command or the configuration, 1 where a run or a store failed."""
    return USAGE if isinstance(error, _TO_BE_CHANGED) else RUN_FAILED


def tell(error: MdfError, *, as_json: bool) -> int:
    """Print an error on stderr, and as JSON on stdout where JSON was asked for.

    Returns:
        The exit code.
    """
    print(f"error[{error.slug}]: {error.message}", file=sys.stderr)  # noqa: T201 - the command line prints
    if error.hint:
        print(f"  hint: {error.hint}", file=sys.stderr)  # noqa: T201 - the command line prints
    if as_json:
        print_json({"error": error.as_dict()})
    return exit_code(error)


def print_json(value: object) -> None:
    """One JSON document on stdout; times are ISO 8601, and what else JSON has no type for becomes text."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=_text))  # noqa: T201 - the command line prints


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
