"""Keep secrets out of what is stored with a run: its configuration and its error."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mega_data_factory.errors import MdfError

REDACTED = "***"
"""What stands in place of a secret."""

_SECRET_KEY = re.compile(
    r"(^|_)(passwords?|passwd|passphrase|passcode|pwd|secrets?|credentials?|auth|authorization|bearer|cookies?|jwt|sas"
    r"|signature|connection_string|(api|access|private|secret|account|encryption|signing|storage|shared)_?keys?)(_|$)"
)
"""Parts of a key, in snake case, that say its value is secret."""

_TOKEN_KEY = re.compile(r"(^|_)tokens?$")
"""Likewise; but a number under such a key is an amount (`max_tokens`)."""

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

_KNOWN_TOKENS = re.compile(
    r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"  # AWS access key id
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}"  # GitHub
    r"|\bhf_[A-Za-z0-9]{20,}"  # Hugging Face
    r"|\bsk-[A-Za-z0-9_-]{20,}"  # OpenAI, Anthropic
    r"|\bglpat-[A-Za-z0-9_-]{20,}"  # GitLab
    r"|\bxox[abeoprs]-[A-Za-z0-9-]{10,}"  # Slack
    r"|\bAIza[A-Za-z0-9_-]{35}"  # Google
    r"|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"  # JSON web token, RFC 7519
    r"|(?<=[Bb]earer )[A-Za-z0-9._~+/-]{8,}=*"  # RFC 6750
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)",  # RFC 7468
    re.DOTALL,
)
"""Values that are secret under any key, by the forms their issuers have published."""


def redacted(config: Mapping[str, Any], more: Sequence[str] = ()) -> dict[str, Any]:
    """A configuration with `***` for everything that looks secret; the given one stays as it is.

    Secret are values whose key says so (`password`, `api_key`, `hfToken`, `aws_secret_access_key` …), with all that is
    below such a key; `key` beside `secret`, which is how fsspec calls an access key; and, in any text, passwords in
    URIs and tokens of known forms. Variables that are not filled in (`${NAME}`) stay.

    Args:
        config: nested mappings, lists and plain values.
        more: further keys, as patterns with `*` and `?`; upper and lower case are the same.
    """
    patterns = [pattern.lower() for pattern in more]
    return {str(key): _value(str(key), value, config, patterns) for key, value in config.items()}


def without_credentials(text: str) -> str:
    """The text with `***` for user and password of its URIs, secret parameters of queries and connection strings, and
    tokens of known forms.
    """
    found = {match["user"] for match in _USER_INFO.finditer(text)}
    text = _USER_INFO.sub(rf"\g<scheme>{REDACTED}@", text)
    for user in found:  # error messages repeat parts of what they are about
        text = text.replace(f"{user}@", f"{REDACTED}@")
    text = _QUERY.sub(_query_parameter, text)
    text = _SETTING.sub(_setting, text)
    return _KNOWN_TOKENS.sub(REDACTED, text)


def in_words(error: Exception) -> str:
    """What an error says, for a log or another error, without credentials."""
    return without_credentials(error.message if isinstance(error, MdfError) else f"{type(error).__name__}: {error}")


def _query_parameter(match: re.Match[str]) -> str:
    secret = _is_secret(match["key"][1:], "") or _snake(match["key"][1:]) == "sig"
    return f"{match['key']}={REDACTED}" if secret else match[0]


def _setting(match: re.Match[str]) -> str:
    return f"{match['key']}={REDACTED}" if _SECRET_KEY.search(_snake(match["key"])) else match[0]


def _value(key: str, value: Any, beside: Mapping[str, Any], patterns: Sequence[str]) -> Any:
    named = any(fnmatch.fnmatchcase(key.lower(), pattern) for pattern in patterns)
    if named or _is_secret(key, value) or (key == "key" and "secret" in beside):
        return _blotted(value)
    return _inside(value, patterns)


def _inside(value: Any, patterns: Sequence[str]) -> Any:
    if isinstance(value, Mapping):
        return redacted(value, patterns)
    if isinstance(value, list | tuple):
        return [_inside(item, patterns) for item in value]
    return without_credentials(value) if isinstance(value, str) else value


def _is_secret(key: str, value: Any) -> bool:
    name = _snake(key)
    amount = isinstance(value, int | float)
    return bool(_SECRET_KEY.search(name) or (_TOKEN_KEY.search(name) and not amount))


def _snake(key: str) -> str:
    """`hfToken`, `X-Amz-Token` and `APIKey` in snake case."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", key)
    return re.sub(r"[^a-z0-9]+", "_", words.lower())


def _blotted(value: Any) -> Any:
    """`***` for every value, however deep; truth values and nothing at all give nothing away."""
    if isinstance(value, Mapping):
        return {str(key): _blotted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_blotted(item) for item in value]
    if value is None or isinstance(value, bool) or value == "":
        return value
    return value if isinstance(value, str) and _ENVIRONMENT.fullmatch(value) else REDACTED
