"""Records that are set aside."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class SetAside:
    """A record that a step could not process, kept to be looked at.

    Attributes:
        reason: the error, `ValueError: message`, without credentials; or the reason of the rejection.
        content: the record as JSON text.
        kind: `error`, or `rejected`.
        record_id: name of the record; empty if it has none.
        score: the number that decided, where one did.
        threshold: what it was compared with.
        rank: of a rejected record; those with the smallest ranks are the sample (see `sampling`).
    """

    reason: str
    content: str
    kind: str = "error"
    record_id: str = ""
    score: float | None = None
    threshold: float | None = None
    rank: float = 0.0
