"""Ids of runs: making one, and finding the one that a user means."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import datetime

from mega_data_factory.clock import utc_now
from mega_data_factory.errors import MdfError


def new_run_id(now: datetime | None = None) -> str:
    """Return a new id: `run_{YYYYmmdd_HHMMSS}_{8 hex}`, in UTC."""
    return f"run_{now or utc_now():%Y%m%d_%H%M%S}_{uuid.uuid4().hex[:8]}"


def run_tag(run_id: str) -> str:
    """Return the eight letters by which the names of output files, errors and dead letters name their run."""
    return hashlib.sha256(run_id.encode()).hexdigest()[:8]


def match_run(wanted: str, known: Sequence[str], error: type[MdfError]) -> str | None:
    """Return the id of the run that is meant; None if there is no such run.

    Args:
        wanted: A whole id, the beginning of exactly one, or `latest`.
        known: Ids of all runs, the oldest first.
        error: Class of the error for the beginning of several ids.

    Raises:
        MdfError: It is empty, or several runs begin with it; the message names some.
    """
    if not wanted:
        raise error("the name of the run is empty", hint="give an id, the beginning of one, or `latest`")
    if wanted == "latest":
        return known[-1] if known else None
    if wanted in known:
        return wanted
    matches = [run_id for run_id in known if run_id.startswith(wanted)]
    if len(matches) > 1:
        raise error(f"{len(matches)} runs begin with {wanted}", hint=f"such as {', '.join(sorted(matches)[:3])}")
    return matches[0] if matches else None
