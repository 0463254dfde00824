"""Keep secrets out of what is stored with a run: its configuration and its error."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mega_data_factory.errors import MdfError
from mega_data_factory.framework.metrics.secret_forms import names_secret, snake, without_tokens

REDACTED = "***"
"""What stands in place of a secret."""

_ENVIRONMENT = re.compile(r"\$\{\w+\}")
"""The name of a variable, not yet filled in, is no secret."""

_USER_INFO = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)"
    r"(?P<user>[^\s/@:?#]*:(?!\d{1,5}(?:[/?#]|$))[^\s@]*|[^\s/@:?#]+)@"  # not a port: `host:8080/a@b` has no password
)
"""User and password of a URI (RFC 3986, 3.2.1). A password may hold `/` though it should be quoted: AWS's often do."""

_QUERY = re.compile(r"(?P<key>[?&;][\w.-]+)=(?P<value>'[^']*'|\"[^\"]*\"|[^&;#\s]+)")

_SETTING = re.compile(r"(?<![\w.?&;/-])(?P<key>[A-Za-z][\w.-]*)=(?P<value>'[^']*'|\"[^\"]*\"|[^;\s]+)")
"""A key and its value in words, as in `host=db password=secret` (connection strings of libpq, ODBC and the like)."""

_OPTION = re.compile(
    r"(?<![\w-])(?P<dashes>--?)(?P<key>[A-Za-z][\w-]*)(?P<between>[ =]+)(?P<value>'[^']*'|\"[^\"]*\"|[^\s-]\S*)"
)
"""An option of a command line and its value."""

_ENTRY = re.compile(
    r"(?<![\w.-])(?P<quote>[\"']?)(?P<key>[A-Za-z][\w-]*)(?P=quote)(?P<colon>\s*:\s*)"
    r"(?P<value>\$\{\w+\}|'[^']*'|\"[^\"]*\"|[^\s,;}\]]+)"
)
"""A key and its value as YAML and JSON write them."""


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
    return {str(key): _value(str(key), value, config, patterns) for key, value in config.items()}


def without_credentials(text: str) -> str:
    """Return a text with `***` for what is secret in it.

    That is: user and password of URIs, secret parameters of queries and connection strings, values of secret options
    (`--password x`) and entries (`password: x`), and tokens of known forms.
    """
    found = {match["user"] for match in _USER_INFO.finditer(text)}
    text = _USER_INFO.sub(rf"\g<scheme>{REDACTED}@", text)
    for user in found:  # error messages repeat parts of what they are about
        text = text.replace(f"{user}@", f"{REDACTED}@")
    text = _QUERY.sub(_query_parameter, text)
    text = _SETTING.sub(_setting, text)
    text = _OPTION.sub(_option, text)
    text = _ENTRY.sub(_entry, text)
    return without_tokens(text, REDACTED)


def in_words(error: Exception) -> str:
    """What an error says, for a log or another error, without credentials."""
    return without_credentials(error.message if isinstance(error, MdfError) else f"{type(error).__name__}: {error}")


def _query_parameter(match: re.Match[str]) -> str:
    name = match["key"][1:]
    secret = names_secret(name) or snake(name) in ("sig", "key")
    return f"{match['key']}={REDACTED}" if secret else match[0]


def _setting(match: re.Match[str]) -> str:
    secret = names_secret(match["key"], match["value"]) and not _ENVIRONMENT.fullmatch(match["value"])
    return f"{match['key']}={REDACTED}" if secret else match[0]


def _option(match: re.Match[str]) -> str:
    if not names_secret(match["key"], match["value"]):
        return match[0]
    return f"{match['dashes']}{match['key']}{match['between']}{REDACTED}"


def _entry(match: re.Match[str]) -> str:
    value = match["value"]
    if value.lower() in ("bearer", "basic"):  # what follows is found by its form
        return match[0]
    if not names_secret(match["key"], value) or _ENVIRONMENT.fullmatch(value.strip("\"'")):
        return match[0]
    return f"{match['quote']}{match['key']}{match['quote']}{match['colon']}{REDACTED}"


def _value(key: str, value: Any, beside: Mapping[str, Any], patterns: Sequence[str]) -> Any:
    named = any(fnmatch.fnmatchcase(key.lower(), pattern) for pattern in patterns)
    if named or names_secret(key, value) or _is_secret_by_its_neighbours(key, value, beside):
        return _blotted(value)
    return _inside(value, patterns)


def _is_secret_by_its_neighbours(key: str, value: Any, beside: Mapping[str, Any]) -> bool:
    if key == "key" and "secret" in beside:
        return True
    names = [beside[name] for name in ("name", "key") if isinstance(beside.get(name), str)]
    return key == "value" and any(names_secret(name, value) for name in names)


def _inside(value: Any, patterns: Sequence[str]) -> Any:
    if isinstance(value, Mapping):
        return redacted(value, patterns)
    if isinstance(value, list | tuple):
        return _arguments(value, patterns)
    return _text(value, patterns) if isinstance(value, str) else value


def _arguments(items: Sequence[Any], patterns: Sequence[str]) -> list[Any]:
    """Return the members of a list; what follows an option that names a secret is one."""
    found: list[Any] = []
    for number, item in enumerate(items):
        option = items[number - 1] if number else None
        follows = isinstance(option, str) and option.startswith("-") and names_secret(option.lstrip("-"), item)
        found.append(_blotted(item) if follows and not str(item).startswith("-") else _inside(item, patterns))
    return found


def _text(text: str, patterns: Sequence[str]) -> str:
    """Return a text without secrets; one that is JSON as JSON."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            return json.dumps(_inside(json.loads(text), patterns), ensure_ascii=False)
        except (ValueError, RecursionError):
            pass  # it only began like JSON
    return without_credentials(text)


def _blotted(value: Any) -> Any:
    """`***` for every value, however deep; truth values and nothing at all give nothing away."""
    if isinstance(value, Mapping):
        return {str(key): _blotted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_blotted(item) for item in value]
    if value is None or isinstance(value, bool) or value == "":
        return value
    return value if isinstance(value, str) and _ENVIRONMENT.fullmatch(value) else REDACTED
