"""Checks of URLs and HTTP headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    pass


_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
"""Valid names and values of HTTP headers (RFC 9110, 5.6.2 and 5.5)."""


def http_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers that metrics are sent with.

    Raises:
        ValueError: HTTP has no such header. Says which, and not its value, which may be a key.
    """
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a header; write one such as x-api-key")
        if value.endswith(("\r", "\n")):
            raise ValueError(f"the value of {name} ends in a line break; take it away, also from a variable it is from")
        if not _HEADER_VALUE.fullmatch(value):
            raise ValueError(f"the value of {name} holds a character that no header can hold")
    return dict(headers)


def http_url(url: str) -> str:
    """Return an address that metrics are sent to, without a slash at its end.

    Raises:
        ValueError: it is not of the form `http://host:port` or `https://host`.
    """
    parts = urlsplit(url)
    try:
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment
        _ = parts.port  # which raises if it is not a number
    except ValueError:
        wrong = True
    if wrong or any(character.isspace() for character in url):
        raise ValueError("this is not an address; write http://host:port or https://host")
    return url.rstrip("/")
