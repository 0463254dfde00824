"""Operator rows added up over workers, and the check of their books."""

from __future__ import annotations


def balance_equation(created: int | None = 0) -> str:
    """Return what holds on every operator whose books balance, in words.

    Args:
        created: records that operators created; None where that is not known.
    """
    return f"input{' + created' if created else ''} = output + rejected + errors"
