"""Send metrics over HTTP: bounded in time, never redirected, and an answer that is no success is an error."""

from __future__ import annotations

import ipaddress
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import Message
from http.client import HTTPException
from typing import IO
from urllib.parse import urlsplit

from mega_data_factory.errors import MetricsError
from mega_data_factory.http import http_headers, http_url
from mega_data_factory.redaction import without_credentials

_LONGEST_ANSWER = 64 * 1024
_SHOWN = 200
"""Characters of an answer that an error repeats."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Refuse redirects: they would take the headers, which may be secret, to a host that the user did not name."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """Return None, so that the caller gets the redirect as an error."""


class Sender:
    """Sends to one server.

    Args:
        url: what the paths are below; `http` or `https`.
        headers: sent with every request.
        timeout: seconds that the server may be silent.

    Raises:
        ValueError: the URL is none of HTTP, or a header.
    """

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, timeout: float = 5.0) -> None:
        self.url = http_url(url)
        self._headers = http_headers(headers or {})
        self._timeout = timeout
        handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
        if _is_this_machine(urlsplit(url).hostname or ""):
            handlers.append(urllib.request.ProxyHandler({}))  # no proxy leads to where we are
        self._opener = urllib.request.build_opener(*handlers)

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> bytes:
        """Send a request.

        Args:
            method: `PUT`, `POST` or `DELETE`.
            path: below the URL.
            body: what is sent.
            headers: further headers, `_` for `-`.

        Returns:
            The first 64 KiB of the answer.

        Raises:
            MetricsError: there was no answer in time, or one that is no success.
        """
        url = f"{self.url}{path}"
        own = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(url, body, {**self._headers, **own}, method=method)  # noqa: S310 - checked
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                return bytes(answer.read(_LONGEST_ANSWER))
        except urllib.error.HTTPError as error:
            with error:
                said = error.read(_LONGEST_ANSWER).decode(errors="replace")
            text = " ".join(said.split())[:_SHOWN]
            raise _failure(url, f"answered {error.code} {error.reason}: {text}") from None
        except urllib.error.URLError as error:
            raise _failure(url, f"cannot be reached: {error.reason}") from None
        except (OSError, HTTPException) as error:
            raise _failure(url, f"broke off: {error or type(error).__name__}") from None


def _failure(url: str, what: str) -> MetricsError:
    text = without_credentials(f"{url} {what}".rstrip(": "))
    return MetricsError("".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text))


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
