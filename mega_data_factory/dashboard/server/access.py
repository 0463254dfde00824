"""Access control: loopback needs no token, any other address does; and the security headers of every answer.

The pages run no script but their own and fetch nothing from elsewhere. The `Host` header is checked, so that a page of
another site cannot reach a dashboard on loopback through a name of its own (DNS rebinding).
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from urllib.parse import quote, urlencode

import flask

from mega_data_factory.errors import ConfigError
from mega_data_factory.formats import plural

TOKEN_VARIABLE = "MDF_DASHBOARD_TOKEN"  # noqa: S105 - the name of an environment variable, not a token
"""Environment variable that holds the token if `--token` is not given."""

LEAST_TOKEN = 16
"""Least number of characters of a token."""

_COOKIE = "mdf_dashboard"
_COOKIE_SECONDS = 7 * 24 * 3600

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def is_loopback(host: str) -> bool:
    """Return whether an address or name to listen on can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def checked_token(host: str, token: str | None) -> str | None:
    """Return the token to ask for: None on loopback if none is given.

    Raises:
        ConfigError: the address can be reached from other machines and there is no token, or the token is too short.
    """
    if not token:
        if is_loopback(host):
            return None
        raise ConfigError(
            f"{host} can be reached from other machines: a token is needed",
            hint=f"give --token or set {TOKEN_VARIABLE}; `openssl rand -hex 16` makes one",
        )
    if len(token) < LEAST_TOKEN:
        raise ConfigError(f"the token is too short: {plural(len(token), 'character')}, at least {LEAST_TOKEN} required")
    return token


class Guard:
    """Check of every request, and the security headers of every answer.

    Args:
        token: The token to ask for; None to answer every request that reaches the server.
        hosts: Host names of the server besides loopback; empty for any if there is a token.
        script_hashes: Hashes of the inline scripts of the page, as CSP writes them.
    """

    def __init__(self, token: str | None, hosts: Sequence[str] = (), script_hashes: Sequence[str] = ()) -> None:
        self._token = token
        self._hosts = frozenset(hosts)
        scripts = " ".join(f"'{found.strip(chr(39))}'" for found in script_hashes)
        self._policy = "; ".join(
            (
                "default-src 'none'",
                f"script-src 'self' {scripts}".rstrip(),
                "style-src 'self' 'unsafe-inline'",  # Plotly sets styles of elements
                "img-src 'self' data: blob:",
                "font-src 'self' data:",
                "connect-src 'self'",
                "manifest-src 'self'",
                "base-uri 'none'",
                "form-action 'self'",
                "frame-ancestors 'none'",
            )
        )

    def protect(self, server: flask.Flask) -> None:
        """Guard every request to a server."""
        server.before_request(self._let_in)
        server.after_request(self._seal)

    def _let_in(self) -> flask.typing.ResponseReturnValue | None:
        request = flask.request
        if not self._knows_host(request.host):
            return plain_page(403, "Unknown host", "This dashboard does not answer to that host name.")
        if self._token is None:
            return None
        if (given := request.args.get("token")) is not None:
            return self._exchange(given)
        if self._is_token(_bearer(request)) or self._is_cookie(request.cookies.get(_COOKIE)):
            return None
        return plain_page(401, "Token required", "Open the address that `mdf dashboard` printed: it ends in ?token=…")

    def _knows_host(self, host: str) -> bool:
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if is_loopback(name) or name in self._hosts:
            return True
        return self._token is not None and not self._hosts

    def _exchange(self, given: str) -> flask.typing.ResponseReturnValue:
        """Move the token from the address, where it would be seen and shared, into a cookie."""
        if not self._is_token(given):
            return plain_page(401, "Wrong token", "Open the address that `mdf dashboard` printed.")
        kept = [(key, value) for key, value in flask.request.args.items(multi=True) if key != "token"]
        response = flask.redirect(_on_this_server(flask.request.path) + (f"?{urlencode(kept)}" if kept else ""))
        response.set_cookie(
            _COOKIE,
            self._cookie(),
            max_age=_COOKIE_SECONDS,
            httponly=True,
            samesite="Strict",
            secure=flask.request.is_secure,
        )
        return response

    def _cookie(self) -> str:
        assert self._token is not None
        return hmac.new(self._token.encode(), b"mega-data-factory dashboard", hashlib.sha256).hexdigest()

    def _is_token(self, given: str | None) -> bool:
        assert self._token is not None
        return given is not None and hmac.compare_digest(given.encode(), self._token.encode())

    def _is_cookie(self, given: str | None) -> bool:
        return given is not None and hmac.compare_digest(given.encode(), self._cookie().encode())

    def _seal(self, response: flask.Response) -> flask.Response:
        response.headers["Content-Security-Policy"] = self._policy
        response.headers.update(_HEADERS)
        if response.mimetype in ("text/html", "application/json"):
            response.headers["Cache-Control"] = "no-store"
        return response


def _on_this_server(path: str) -> str:
    """Return a path as a reference that no browser reads as another host.

    Browsers drop tabs and line ends from an address, read a backslash as a slash, and `//host` names a host
    (https://url.spec.whatwg.org/#url-parsing). So the path gets one slash at its start, and everything but letters,
    digits and `-._~/` is encoded.
    """
    return "/" + quote(path.lstrip("/\\"), safe="/")


def _bearer(request: flask.Request) -> str | None:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if kind.lower() == "bearer" and token else None


def plain_page(status: int, title: str, text: str) -> flask.Response:
    """Return a page without scripts and style sheets, which need the token too. `title` and `text` are HTML."""
    body = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<body style="font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem">'
        f"<h1>{title}</h1><p>{text}</p></body></html>"
    )
    return flask.Response(body, status=status, mimetype="text/html")
