"""Ages and moments as people write them: `12h`, `7d`, `2026-11-22`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mega_data_factory import formats
from mega_data_factory.cli.failures import UsageError


def parse_age(option: str, text: str) -> timedelta:
    """Return a length of time: a number and s, m, h, d or w.

    Args:
        option: what it was given for, to say so.
        text: what the user wrote.

    Raises:
        UsageError: it is none.
    """
    age = _age(text)
    if age is None:
        raise UsageError(f"{option} {text}: not an age", hint="such as 30m, 12h, 7d or 2w")
    return age


def parse_since(text: str, now: datetime | None = None) -> datetime:
    """Return a point in time: an age before now, or an ISO 8601 date or time.

    Args:
        text: what the user wrote; a time without a zone is in UTC.
        now: naive UTC; the present when None.

    Returns:
        Naive UTC.

    Raises:
        UsageError: it is neither.
    """
    age = _age(text)
    if age is not None:
        now = now or datetime.now(UTC).replace(tzinfo=None)
        return now - min(age, now - datetime.min)
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        hint = "such as 12h, 7d, 2w, 2026-11-22 or 2026-11-22T18:30"
        raise UsageError(f"--since {text}: neither an age nor a time", hint=hint) from None
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def _age(text: str) -> timedelta | None:
    try:
        return formats.parse_age(text)
    except OverflowError:
        return timedelta.max
    except ValueError:
        return None
