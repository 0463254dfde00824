"""Locations of files: local paths and fsspec URIs, and their wording in errors."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

from mega_data_factory.errors import InputError, MdfError, StoreSilentError
from mega_data_factory.extras import install

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

Location: TypeAlias = str | os.PathLike[str]

_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
"""Protocol → the extra of this package that brings what is needed for it."""

_STORE_CLIENTS = frozenset(
    {"adlfs", "aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google", "huggingface_hub", "httpx", "requests"}
)
"""Packages that speak to object stores, and raise exceptions of their own when one does not answer."""


class StoreSilent(OSError):
    """An object store has not answered, however often it was asked."""


def is_local(uri: Location) -> bool:
    """Return whether the location is on a file system of this machine."""
    text = os.fspath(uri)
    return "://" not in text or text.startswith("file://")


def local_path(uri: Location) -> Path:
    """Return the local location as a path, with `~` expanded and `file://` undone.

    Raises:
        InputError: the location is not local.
    """
    text = os.fspath(uri)
    if text.startswith("file://"):
        from urllib.parse import urlsplit
        from urllib.request import url2pathname  # loads http, email and ssl, which a worker rarely needs

        return Path(url2pathname(urlsplit(text).path))
    if "://" in text:
        raise InputError(f"{text} is not on this machine", hint="give a local path here")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # `~name` of an unknown user
        raise InputError(f"{text}: {error}", hint="give the folder by its whole path") from error


def local_name(uri: Location) -> str:
    """Return what `local_path` does as text, at once where nothing has to be expanded: for ten thousands of files."""
    text = os.fspath(uri)
    return text if text[:1] != "~" and "://" not in text else os.fspath(local_path(uri))


def join(uri: Location, *parts: str) -> str:
    """Return the location below `uri` that the relative `parts` name."""
    if is_local(uri):
        return str(local_path(uri).joinpath(*parts))
    return "/".join([os.fspath(uri).rstrip("/"), *(part.strip("/") for part in parts)])


def absolute(uri: Location) -> str:
    """Return the location in a form that does not depend on the working folder or on `~`."""
    return os.path.abspath(local_path(uri)) if is_local(uri) else os.fspath(uri)  # noqa: PTH100 - resolves no links


def file_system(uri: Location, kind: type[MdfError] = InputError) -> tuple[AbstractFileSystem, str]:
    """Return the fsspec file system of a remote location, and its path there.

    It keeps no listings: other processes and machines write at the same time, and a size that was true a moment ago
    reads as a damaged file.

    Raises:
        kind: the protocol is unknown or its package is missing.
    """
    text = os.fspath(uri)
    try:
        fs, path = _patient_s3(text, kind) if text.startswith(("s3://", "s3a://")) else _of_fsspec(text)
    except (ImportError, ValueError) as error:
        problem = f"the package {error.name} is not installed" if isinstance(error, ModuleNotFoundError) else error
        raise kind(f"{uri}: {problem}", hint=_package_hint(text)) from error
    return fs, path


def _of_fsspec(uri: str) -> tuple[AbstractFileSystem, str]:
    import fsspec

    return cast("tuple[AbstractFileSystem, str]", fsspec.core.url_to_fs(uri, use_listings_cache=False))


def _patient_s3(uri: str, kind: type[MdfError]) -> tuple[AbstractFileSystem, str]:
    from mega_data_factory.storage.s3 import Patience, PatientS3

    try:
        patience = Patience.from_environment()
    except ValueError as error:
        raise kind(str(error)) from error
    options = PatientS3._get_kwargs_from_urls(uri)
    fs = PatientS3(patience=patience, use_listings_cache=False, **options)
    return fs, PatientS3._strip_protocol(uri)


def _package_hint(uri: str) -> str:
    extra = _EXTRAS.get(uri.partition("://")[0].lower())
    if extra is None:
        return "check the spelling, or install the fsspec package of this protocol"
    return install(extra)


def failure(kind: type[MdfError], uri: Location, error: BaseException, doing: str) -> MdfError:
    """Return the error `kind` that says what could not be done to which location, and why; raise it `from error`."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    hints: dict[type[BaseException], str] = {
        FileNotFoundError: "check the spelling; relative paths start at the working folder",
        PermissionError: "check who owns it, and the rights of its folders",
        StoreSilent: "check network and endpoint; MDF_STORE_TIMEOUT and MDF_STORE_ATTEMPTS say how long to wait",
    }
    hint = next((text for cls, text in hints.items() if isinstance(error, cls)), None)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "free some space, or write elsewhere"
    if isinstance(error, StoreSilent):
        kind = StoreSilentError
    return kind(f"cannot {doing} {printable(uri)}: {reason}", hint=hint)


def is_store_error(error: BaseException) -> bool:
    """Return whether it says that a file system or an object store failed, in any exception class of its package."""
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _STORE_CLIENTS


@contextlib.contextmanager
def explained(kind: type[MdfError], uri: Location, doing: str) -> Iterator[None]:
    """Turn what a file system or an object store raises in the block into an error that names the place.

    Raises:
        kind: it failed.
    """
    try:
        yield
    except Exception as error:
        if not is_store_error(error):
            raise
        raise failure(kind, uri, error, doing) from error


def printable(uri: Location) -> str:
    """Return the location as text that can be encoded: bytes of a file name that are not UTF-8 appear as escapes."""
    return os.fspath(uri).encode("utf-8", "backslashreplace").decode()
