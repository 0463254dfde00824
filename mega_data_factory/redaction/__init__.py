"""Keep secrets out of the stored configuration and error of a run."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mega_data_factory.errors import MdfError
from mega_data_factory.redaction.names import names_secret
from mega_data_factory.redaction.text import VARIABLE, without_secrets

REDACTED = "***"
"""Replacement for a secret."""


def redacted(config: Mapping[str, Any], more: Sequence[str] = ()) -> dict[str, Any]:
    """Return a configuration with `***` for everything that looks secret; the given one stays as it is.

    Secret are values whose key says so (`password`, `api_key`, `hfToken`, `openai_key`, `PGPASSWORD` …), with all that
    is below such a key; `key` beside `secret`, which is how fsspec calls an access key; `value` beside a `name` that
    says so; what follows such an option in a list of arguments; and, in any text, what `without_credentials` finds,
    also within JSON. Variables that are not filled in (`${NAME}`) stay.

    Args:
        config: nested mappings, lists and plain values.
        more: further keys, as patterns with `*` and `?`; upper and lower case are the same.
    """
    patterns = [pattern.lower() for pattern in more]
    return {without_credentials(str(key)): _value(str(key), value, config, patterns) for key, value in config.items()}


def without_credentials(text: str) -> str:
    """Return a text with `***` for what is secret in it.

    That is: user and password of URIs and of `-u`, secret parameters of queries, values of secret settings
    (`password=x`), options (`--password x`), headers, entries of YAML, JSON and XML (`password: x`), and tokens of
    known forms.
    """
    return without_secrets(text, REDACTED)


def in_words(error: Exception) -> str:
    """Return the message of an error, for a log or another error, without credentials."""
    return without_credentials(error.message if isinstance(error, MdfError) else named(error))


def named(error: BaseException) -> str:
    """Return `ValueError: message`; the name alone if there is no message, or `__str__` of the error raises."""
    name = type(error).__name__
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - the user's code; this error is not the one to show
        return name
    return f"{name}: {message}" if message else name


def described(error: BaseException) -> str:
    """Return what `named` does, on one line and without credentials."""
    return without_credentials(" ".join(named(error).split()))


def _value(key: str, value: Any, beside: Mapping[str, Any], patterns: Sequence[str]) -> Any:
    named = any(fnmatch.fnmatchcase(key.lower(), pattern) for pattern in patterns)
    if named or names_secret(key, value) or _is_secret_by_its_neighbours(key, value, beside):
        return _masked(value)
    return _inside(value, patterns)


def _is_secret_by_its_neighbours(key: str, value: Any, beside: Mapping[str, Any]) -> bool:
    """Return whether the context of a value says that it is secret.

    That is: `key` beside `secret` (an access key of fsspec), `value` beside a `name` that says so, the private parts of
    a JSON web key (RFC 7518) beside `kty`, and the data of a Secret of Kubernetes beside its `kind`.
    """
    if key == "key" and "secret" in beside:
        return True
    if key in _PRIVATE_PARTS and "kty" in beside:
        return True
    if key in ("data", "stringData") and beside.get("kind") == "Secret":
        return True
    names = (name for known, name in beside.items() if str(known).lower() in ("name", "key") and isinstance(name, str))
    return key.lower() == "value" and any(names_secret(name, value) for name in names)


_PRIVATE_PARTS = frozenset({"d", "p", "q", "dp", "dq", "qi", "k", "oth"})


def _inside(value: Any, patterns: Sequence[str]) -> Any:
    if isinstance(value, Mapping):
        return redacted(value, patterns)
    if isinstance(value, list | tuple):
        return _items(value, patterns)
    return _text(value, patterns) if isinstance(value, str) else value


def _items(items: Sequence[Any], patterns: Sequence[str]) -> list[Any]:
    """Return the members of a list.

    What follows an option that names a secret is one, and so is the second of a pair in a list of pairs, as headers and
    variables of the environment are written.
    """
    if items and all(isinstance(item, list | tuple) and len(item) == 2 for item in items):
        return [_pair(first, second, patterns) for first, second in items]
    found: list[Any] = []
    for number, item in enumerate(items):
        option = items[number - 1] if number else None
        follows = isinstance(option, str) and option.startswith("-") and names_secret(option.lstrip("-"), item)
        found.append(_masked(item) if follows and not str(item).startswith("-") else _inside(item, patterns))
    return found


def _pair(first: Any, second: Any, patterns: Sequence[str]) -> list[Any]:
    is_name = isinstance(first, str) and bool(re.fullmatch(r"[A-Z0-9_]+|[A-Z][a-z]*(-[A-Za-z]+)*", first))
    secret = is_name and names_secret(first, second)
    return [_inside(first, patterns), _masked(second) if secret else _inside(second, patterns)]


def _text(text: str, patterns: Sequence[str]) -> str:
    """Return a text without secrets; one that is JSON as JSON."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            return json.dumps(_inside(json.loads(text), patterns), ensure_ascii=False)
        except (ValueError, RecursionError):
            pass  # it only began like JSON
    return without_credentials(text)


def _masked(value: Any) -> Any:
    """Return `***` for every value, however deep; truth values and null stay, they give nothing away."""
    if isinstance(value, Mapping):
        return {str(key): _masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(item) for item in value]
    if value is None or isinstance(value, bool) or value == "":
        return value
    return value if isinstance(value, str) and VARIABLE.fullmatch(value) else REDACTED
