"""Every error this package raises on purpose.

An error says what was wrong, where, and what would be right. Each class has a `slug`: a stable name to look up in
the manual and to match on in scripts.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping


class MdfError(Exception):
    """Base of all errors that are meant for the user: the command line prints them without a traceback.

    Args:
        message: what was wrong, and where.
        hint: what would be right; printed on a line of its own.
    """

    slug = "error"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def as_dict(self) -> dict[str, str | None]:
        """Return slug, message and hint, for machines and other processes."""
        return {"slug": self.slug, "message": self.message, "hint": self.hint}

    @classmethod
    def kinds(cls) -> Iterator[type[MdfError]]:
        """Yield every class of error below this one, once."""
        below = dict.fromkeys(cls.__subclasses__())
        for kind in tuple(below):
            below.update(dict.fromkeys(kind.kinds()))
        yield from below

    @classmethod
    def from_dict(cls, values: Mapping[str, str | None]) -> MdfError:
        """Return the error of which `values` were made, as its own class."""
        leaves = {leaf.slug: leaf for leaf in MdfError.kinds() if "slug" in vars(leaf)}
        return leaves.get(values["slug"] or "", MdfError)(values["message"] or "", hint=values["hint"])

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n  hint: {self.hint}"


class ConfigError(MdfError):
    """The configuration (file, override, or environment variable in it) is not valid."""

    slug = "config-invalid"


class ColumnError(ConfigError):
    """A column that an operator needs is not there, or does not hold what it needs.

    Args:
        message: what was wrong, and where.
        column: name of the column.
        hint: what would be right.
    """

    slug = "column-unusable"

    def __init__(self, message: str, *, column: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.column = column


class MissingPackageError(ConfigError, ImportError):
    """Something was asked for that needs a package of an extra which is not installed; the hint installs it."""

    slug = "package-missing"


class ResourceError(MdfError):
    """The smallest worker pools that the configuration asks for do not fit the machine or cluster."""

    slug = "resources-do-not-fit"


class InputError(MdfError):
    """The source cannot be read at all: nothing matches, no permission, an unusable file."""

    slug = "input-unreadable"


class OutputError(MdfError):
    """The output cannot be written, or would overwrite files that are not the run's own."""

    slug = "output-unwritable"


class StoreSilentError(InputError, OutputError):
    """An object store does not answer, however often it is asked, when something is read or written."""

    slug = "store-silent"


class OperatorError(MdfError):
    """A record made an operator raise, and `executor.on_error` is `fail`."""

    slug = "operator-failed"


class ErrorLimitExceeded(MdfError):
    """More records raised than `executor.max_errors` allows."""

    slug = "too-many-errors"


class WorkerLostError(MdfError):
    """A worker died more often than `executor.max_attempts` allows, where no record can be set aside for it."""

    slug = "worker-lost"


class ResumeError(MdfError):
    """A run cannot be resumed: it is complete, still running, unknown, or does not match the configuration."""

    slug = "resume-refused"


class InternalError(MdfError):
    """A worker failed in a way that is a bug of this package or of a loader or writer; names the line that raised."""

    slug = "internal"


class MetricsError(MdfError):
    """A metrics file or folder cannot be read or written as asked."""

    slug = "metrics-store"


class HistoryError(MdfError):
    """A history of node metrics cannot take a point or a folder."""

    slug = "metrics-history"


class VisualizationError(MdfError):
    """Metrics cannot be taken in, drawn or exported as asked: an unusable value, an unknown node, nothing to show."""

    slug = "visualization"


class MetricsQueryError(MetricsError):
    """A query of the metrics cannot be answered: no such folder or run, or a query that would write."""

    slug = "metrics-query"


class AnalysisError(MdfError):
    """A series cannot be analysed as asked: not numbers, too few of them, shapes that do not match, a bad parameter."""

    slug = "analysis"


def did_you_mean(wrong: str, known: Iterable[str]) -> str | None:
    """Return a sentence that names the nearest known word, or lists the known ones when none is near.

    Args:
        wrong: the word that was not understood.
        known: the words that would have been.

    Returns:
        A hint for `MdfError`, or None when there is nothing to suggest.
    """
    words = sorted(set(known))
    near = difflib.get_close_matches(wrong, words, n=1, cutoff=0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    return f"known: {', '.join(words)}" if words else None
