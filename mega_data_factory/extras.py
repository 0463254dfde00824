"""Packages that only some installations have, and the extra of this package that brings each.

`pip install mega-data-factory` brings what a step on a user's worker and the command line need. Everything else is
an extra. Code that needs one says so here, and the user reads which package is missing and how to install it.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mega_data_factory.errors import MissingPackageError

EXTRA_OF: dict[str, str] = {
    "aiobotocore": "s3",
    "attr": "openlineage",
    "botocore": "s3",
    "cloudpickle": "notebook",
    "dash": "dashboard",
    "datasets": "huggingface",
    "duckdb": "sql",
    "fastwarc": "text",
    "flask": "dashboard",
    "ftfy": "text",
    "gcsfs": "gcs",
    "google": "otlp",
    "huggingface_hub": "hub",
    "icu4py": "text",
    "isal": "text",
    "jinja2": "report",
    "kaleido": "images",
    "markupsafe": "report",
    "mlflow": "mlflow",
    "openlineage": "openlineage",
    "openpyxl": "excel",
    "opentelemetry": "otlp",
    "pandas": "report",
    "plotly": "report",
    "polars": "text",
    "prometheus_client": "prometheus",
    "py3langid": "text",
    "pynvml": "gpu",
    "ray": "ray",
    "rensa": "text",
    "resiliparse": "text",
    "s3fs": "s3",
    "tokenizers": "tokens",
    "waitress": "dashboard",
    "werkzeug": "dashboard",
    "zstandard": "text",
}
"""Package as it is imported → the extra that installs it."""


def install(extra: str) -> str:
    """Return the command that installs an extra."""
    return f"pip install 'mega-data-factory[{extra}]'"


def installed(package: str) -> bool:
    """Return whether a package can be imported; it is not imported for that."""
    if package in sys.modules:
        return sys.modules[package] is not None
    return importlib.util.find_spec(package) is not None


def require(extra: str, needed_by: str) -> None:
    """Check that the packages of an extra are installed, without importing them.

    Args:
        extra: name of the extra.
        needed_by: what needs it, as the user named it: the subject of the error message.

    Raises:
        MissingPackageError: they are not installed.
    """
    if absent := [name for name, brought_by in EXTRA_OF.items() if brought_by == extra and not installed(name)]:
        raise _error(absent, needed_by)


@contextmanager
def needed_by(name: str) -> Iterator[None]:
    """Turn the failed import of a package that an extra brings into an error that names the extra.

    Args:
        name: what needs the package, as the user named it: the subject of the error message.

    Raises:
        MissingPackageError: the block imported a package of `EXTRA_OF` that is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (found := missing(error, name)) is None:
            raise
        raise found from error


def missing(error: BaseException, needed_by: str) -> MissingPackageError | None:
    """Return the error for the user if something failed because of a missing package of `EXTRA_OF`; None otherwise.

    Args:
        error: any exception; a `MissingPackageError` gets `needed_by` as its subject.
        needed_by: as for `require`.
    """
    if not isinstance(error, ModuleNotFoundError | MissingPackageError):
        return None
    package = (error.name or "").partition(".")[0]
    return _error([package], needed_by) if package in EXTRA_OF and not installed(package) else None


def _error(absent: Sequence[str], needed_by: str) -> MissingPackageError:
    """Return the error for packages of one extra."""
    packages = f"the package {absent[0]}" if len(absent) == 1 else f"the packages {', '.join(absent)}"
    message = f"{needed_by} needs {packages}, which {'is' if len(absent) == 1 else 'are'} not installed"
    error = MissingPackageError(message, hint=install(EXTRA_OF[absent[0]]))
    error.name = absent[0]
    return error
