"""Model of py3langid, read once per process."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def language_identifier(languages: tuple[str, ...] | None) -> Any:
    """Return the model: it takes half a second of CPU to read, and 70 MB.

    Args:
        languages: codes to choose among; None for all that the model knows.

    Raises:
        ValueError: one of `languages` is not known to the model.
    """
    # imported here, so that a process which only checks a configuration does not pay for it
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    if languages is not None:
        identifier.set_languages(languages)
    return identifier


def read_model() -> None:
    """Read the model for all its languages, so that processes forked from this one have it."""
    language_identifier(None)
