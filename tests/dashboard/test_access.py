"""Who may look at a dashboard, and what its answers tell a browser."""

from __future__ import annotations

import re
from urllib.parse import quote, urljoin, urlsplit

import flask
import pytest
from flask.testing import FlaskClient
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mega_data_factory.dashboard.server.access import Guard, checked_token, is_loopback
from mega_data_factory.errors import ConfigError

_TOKEN = "0123456789abcdef"


def _client(token: str | None = None, hosts: tuple[str, ...] = ()) -> FlaskClient:
    server = flask.Flask(__name__)
    server.add_url_rule("/", "root", lambda: "<p>the runs</p>")
    server.add_url_rule("/run/<name>", "run", lambda name: name)
    Guard(token, hosts, ["'sha256-abc='"]).protect(server)
    return server.test_client()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_loopback_needs_no_token(host: str) -> None:
    """On an address of this machine alone everybody may look."""
    assert is_loopback(host)
    assert checked_token(host, None) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "example.org", "127.0.0.1.example.org", ""])
def test_any_other_address_refuses_to_start_without_a_token(host: str) -> None:
    """Whatever other machines reach needs a token, and one that cannot be guessed."""
    with pytest.raises(ConfigError, match="token"):
        checked_token(host, None)
    with pytest.raises(ConfigError, match="16"):
        checked_token(host, "short")
    assert checked_token(host, _TOKEN) == _TOKEN


def test_without_the_token_nothing_is_told() -> None:
    """No token, a wrong one, a wrong cookie: 401 and none of the content."""
    client = _client(_TOKEN)
    client.set_cookie("mdf_dashboard", "0" * 64)
    for answer in (
        client.get("/"),
        client.get("/?token=wrong"),
        client.get("/?token=" + "\u00e9" * 16),
        client.get("/", headers={"Authorization": "Bearer wrong"}),
        client.get("/", headers={"Authorization": _TOKEN}),
    ):
        assert answer.status_code == 401
        assert "the runs" not in answer.text


def test_the_token_goes_from_the_address_into_a_cookie() -> None:
    """Opened once with the token, the browser gets in by a cookie, and the address is clean."""
    client = _client(_TOKEN)
    first = client.get(f"/run/a?x=1&token={_TOKEN}&x=2")
    assert first.status_code == 302
    assert first.headers["Location"] == "/run/a?x=1&x=2"
    cookie = first.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert _TOKEN not in cookie
    assert client.get("/run/a").text == "a"


def test_a_program_shows_the_token_in_a_header() -> None:
    """`Authorization: Bearer` works for every request."""
    assert _client(_TOKEN).get("/", headers={"Authorization": f"Bearer {_TOKEN}"}).status_code == 200


_TRICKS = ("/", "//", "\\", "\t", "\n", "\r", "\0", "\x0b", "\x1f", "\x7f", " ", "\u00a0", "\u2028", "\u3002", "\uff0f")
_PIECES = (
    *_TRICKS,
    "evil.example",
    "http:",
    "https:",
    "javascript:",
    "@",
    ":",
    "?",
    "#",
    "%",
    ";",
    ".",
    "..",
    "a",
    "é",
)


@given(st.lists(st.one_of(st.sampled_from(_PIECES), st.binary(min_size=1, max_size=2)), max_size=8), st.booleans())
@example(["\t", "/", "evil.example", "/"], False)
@example(["\\", "evil.example"], False)
@example(["/", "evil.example"], False)
@example(["/", "\t", "/", "evil.example"], True)
@settings(max_examples=100, deadline=None)
def test_the_token_leads_to_no_other_host(pieces: list[str | bytes], twice: bool) -> None:
    """The redirection is one slash and plain characters, whatever the path holds and however often it is encoded."""
    path = b"/" + b"".join(piece if isinstance(piece, bytes) else piece.encode() for piece in pieces)
    decoded = quote(path) if twice else path.decode("latin-1")  # as WSGI hands it over
    query = {"token": _TOKEN, "next": "//evil.example"}
    answer = _client(_TOKEN).get("/", query_string=query, environ_overrides={"PATH_INFO": decoded})
    assert answer.status_code == 302
    location = answer.headers["Location"]
    assert re.fullmatch(r"/(?![/\\])[A-Za-z0-9._~%/-]*\?next=%2F%2Fevil\.example", location), location
    assert urlsplit(urljoin("http://dashboard.example/", location)).netloc == "dashboard.example"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8050", "127.0.0.1.evil.example"])
def test_on_loopback_other_names_are_refused(host: str) -> None:
    """A page elsewhere that lets its name point to loopback (DNS rebinding) gets nothing."""
    assert _client().get("/", headers={"Host": host}).status_code == 403
    assert _client(_TOKEN, ("metrics.example",)).get("/", headers={"Host": host}).status_code == 403


def test_names_that_are_allowed_are_answered() -> None:
    """Loopback always, and behind a proxy the names that were given."""
    assert _client().get("/", headers={"Host": "localhost:8050"}).status_code == 200
    assert _client().get("/", headers={"Host": "[::1]:8050"}).status_code == 200
    guarded = _client(_TOKEN, ("metrics.example",))
    headers = {"Host": "metrics.example", "Authorization": f"Bearer {_TOKEN}"}
    assert guarded.get("/", headers=headers).status_code == 200


def test_every_answer_carries_the_headers() -> None:
    """Own scripts alone, no framing, no sniffing, no referrer, no cache: also where access is refused."""
    for answer in (_client().get("/"), _client().get("/nowhere"), _client(_TOKEN).get("/")):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self' 'sha256-abc='" in policy
        assert "frame-ancestors 'none'" in policy
        assert "http:" not in policy
        assert "https:" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
