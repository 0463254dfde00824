"""Output of earlier runs, which a run with `if_exists: overwrite` replaces when it is complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

PENDING = "_pending"
"""Folder below the output folder: files of a run wait there while it must not touch the output of earlier runs."""


@dataclass(frozen=True)
class EarlierOutput:
    """Names of everything that a run found in its output folder, and removes when its own output is complete.

    It is noted in the commit log, so that a resumed run removes the same, and nothing that came later.

    Attributes:
        data: data files, and half-written ones of killed runs.
        errors: files of the error sink.
        dead_letters: files of dead letters.
        runs: ids of runs that could be resumed, or left something behind.
    """

    data: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    dead_letters: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, values: Mapping[str, Sequence[str]]) -> EarlierOutput:
        """Return what `to_json` was called on."""
        return cls(**{name: tuple(names) for name, names in values.items()})

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {name: list(names) for name, names in asdict(self).items()}
