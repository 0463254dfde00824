"""Secrets in text: URIs, queries, connection strings, options, headers, entries of YAML, JSON and XML."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mega_data_factory.redaction.forms import without_tokens
from mega_data_factory.redaction.names import names_secret, snake

VARIABLE = re.compile(r"\$\{\w+\}")
"""The name of a variable, not yet filled in, is not a secret."""

_URI = re.compile(r"(?P<scheme>(?<![\w+.-])[A-Za-z][A-Za-z0-9+.-]*://|(?<![:\w/.])//)(?P<authority>[^\s/?#\"'<>]*)")
"""Scheme and authority (RFC 3986, 3.2), also of a reference without scheme."""

_SLASHED = re.compile(r"[^\s/@:?#]*:(?!\d{1,5}(?:[/?#]|$))[^\s@?#\"'<>]{0,300}+(?=@)")
"""User and password with a `/` that should be quoted, as those of AWS often have; not a port: `host:8080/a@b`."""

_ORACLE = re.compile(r"(?P<head>\bjdbc:oracle:\w+:[^\s/@]*/)[^\s@]+(?=@)")

_KEY = re.compile(
    r"(?P<quote>\\{0,8}[\"']|)(?<![\w.-])(?P<key>[A-Za-z_][\w.-]*)(?P=quote)(?P<sep>[ \t]*(?::=|=>|[:=](?![=:]))[ \t]*)"
)
"""A key and what comes before its value, in YAML, JSON, queries, settings, code."""

_OPTION = re.compile(r"(?<![\w-])--?(?P<key>[A-Za-z][\w.-]*)(?:[ \t]+|=)(?=[^\s-])")
"""An option of a command line, and what comes before its value."""

_LOGIN = re.compile(r"(?<![\w-])(?P<head>(?:-u|--user|--proxy-user)(?:[ \t]+|=)[\"']?[^\s:\"']+:)(?!\d+\b)[^\s\"']+")
"""User and password of curl and its like; `-u 1000:1000` is a user of Docker."""

_NETRC = re.compile(r"(?P<head>\blogin[ \t]+\S+\s+password[ \t]+)\S+")
_ELEMENT = re.compile(r"<(?P<key>[A-Za-z_][\w.:-]*)(?P<attributes>(?:\s[^<>]*)?)>(?P<value>[^<>]+)(?=</(?P=key)>)")

_QUOTED = re.compile(r"(?P<mark>\\+[\"']).*?(?P=mark)|'(?:[^'\\\n]|\\.|'')*+'|\"(?:[^\"\\]|\\.|\"\")*+\"")
_WORD = re.compile(r"[^\s]+")
_BARE = re.compile(r"[^\s,;}\])\"']+")
_OF_QUERY = re.compile(r"[^&;#\s\"'<>]+")
_OF_SETTING = re.compile(r"[^;\n\"']*+(?=;(?:\s*$|\s*[A-Za-z][\w .-]*=))|[^;\s]+")
_OF_ENTRY = re.compile(r"(?:[^\s#]|(?<!\s)#|[ \t]++(?!#|$))+", re.MULTILINE)
_BLOCK = re.compile(
    r"(?:[|>][-+\d]*)?[ \t]*\n(?P<lines>(?:(?P<indent>[ \t]+)\S[^\n]*(?:\n(?P=indent)[^\n]*|\n[ \t]*(?=\n))*))"
)
_NOTHING = re.compile(r"null|none|true|false|~", re.IGNORECASE)
_BEGINS_LINE = re.compile(r"[ \t]*(?:-[ \t]+|export[ \t]+)?")

_HEADERS = frozenset({"authorization", "proxy_authorization", "cookie", "set_cookie"})
_SCHEME = re.compile(
    r"(?P<scheme>basic|bearer|digest|token|api-?key|key|negotiate|ntlm|hawk|oauth|dpop|hmac|scram-[\w-]+|aws4-hmac-sha256"
    r"|geniekey|splunk|sharedkey(?:lite)?|sharedaccesssignature)[ \t]+(?=\S)",
    re.IGNORECASE,
)
"""Schemes of HTTP authentication (the registry of IANA, and those of some services): they stay."""

_QUERY_ONLY = frozenset({"sig", "key", "signature", "code"})
_SECTIONS = ("data_loader.", "data_writer.", "executor.")
"""First words of the keys of a pipeline: the text behind their colon is a message."""

_FURTHEST = 10_000
"""Characters within which a bracket has to close."""


def without_secrets(text: str, mark: str) -> str:
    """Return a text with `mark` in place of secrets, which are known by their form or by the key before them."""
    text = _without_logins(text, mark)
    text = _replaced(text, _spans(text), mark)
    text = _LOGIN.sub(rf"\g<head>{mark}", text)
    text = _NETRC.sub(rf"\g<head>{mark}", text)
    text = _ELEMENT.sub(lambda match: _element(match, mark), text)
    return without_tokens(text, mark)


def _element(match: re.Match[str], mark: str) -> str:
    secret = names_secret(match["key"], match["value"]) and not VARIABLE.fullmatch(match["value"].strip())
    return f"<{match['key']}{match['attributes']}>{mark}" if secret else match[0]


def _without_logins(text: str, mark: str) -> str:
    found: set[str] = set()
    parts: list[str] = []
    done = 0
    for match in _URI.finditer(text):
        start = match.end("scheme")
        user, at, _ = match["authority"].rpartition("@")
        if not at:
            slashed = _SLASHED.match(text, start)
            user = slashed[0] if slashed else ""
        if user and match.start() >= done and not VARIABLE.fullmatch(user):
            found.add(user)
            parts += [text[done:start], mark]
            done = start + len(user)
    text = "".join([*parts, text[done:]])
    for user in found:  # error messages repeat parts of the text
        text = text.replace(f"{user}@", f"{mark}@")
    return _ORACLE.sub(rf"\g<head>{mark}", text)


def _replaced(text: str, spans: Iterator[tuple[int, int]], mark: str) -> str:
    parts: list[str] = []
    done = 0
    for start, end in spans:
        parts += [text[done:start], mark]
        done = end
    return "".join([*parts, text[done:]])


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the values of secret keys and options lie, in order."""
    keys, options = _Scan(_KEY, text), _Scan(_OPTION, text)
    place = 0
    while True:
        key, option = keys.next(place), options.next(place)
        if key is None and option is None:
            return
        if option is not None and (key is None or option.start() < key.start()):
            place, span = option.end(), _option_value(text, option)
        else:
            assert key is not None, "one of them was found"
            place, span = key.end(), _value(text, key)
        if span is not None:
            yield span
            place = span[1]


class _Scan:
    """Finds the next match from a place that only moves on, and looks for each match once."""

    def __init__(self, pattern: re.Pattern[str], text: str) -> None:
        self._pattern, self._text = pattern, text
        self._match = pattern.search(text)

    def next(self, place: int) -> re.Match[str] | None:
        """Return the first match that begins at the place or after it."""
        if self._match is not None and self._match.start() < place:
            self._match = self._pattern.search(self._text, place)
        return self._match


def _option_value(text: str, match: re.Match[str]) -> tuple[int, int] | None:
    if not names_secret(match["key"]):
        return None
    value = _QUOTED.match(text, match.end()) or _WORD.match(text, match.end())
    if value is None or VARIABLE.fullmatch(_plain(value[0])) or not names_secret(match["key"], _plain(value[0])):
        return None
    return value.span()


def _value(text: str, match: re.Match[str]) -> tuple[int, int] | None:
    """Return where the value of a key lies, if it is secret."""
    start, name = match.end(), match["key"].rpartition(".")[2]
    before = text[match.start() - 1 : match.start()]
    in_query = before in ("?", "&", "#")
    colon = "=" not in match["sep"]
    if (before == "/" and not colon) or (colon and match["key"].startswith(_SECTIONS)) or text.startswith("//", start):
        return None
    if snake(name) in _HEADERS and not in_query and not _BLOCK.match(text, start):
        return _header(text, match)
    if not names_secret(name) and not (in_query and snake(name) in _QUERY_ONLY):
        return None
    extent = _extent(text, match, in_query=in_query, colon=colon)
    value = _plain(text[slice(*extent)]) if extent else ""
    if not value or VARIABLE.fullmatch(value) or (not in_query and _NOTHING.fullmatch(value)):
        return None
    return extent if in_query or names_secret(name, value) else None


def _plain(value: str) -> str:
    return value.strip().strip("\"'\\")


def _extent(text: str, match: re.Match[str], *, in_query: bool, colon: bool) -> tuple[int, int] | None:
    """Return where a value lies that begins behind a key."""
    start = match.end()
    if text[start : start + 1] in ("{", "[") and (end := _closed(text, start)):
        return start, end
    if quoted := _QUOTED.match(text, start):
        return quoted.span()
    form = _OF_QUERY if in_query else _BARE if colon else _OF_SETTING
    line = text.rfind("\n", max(0, match.start() - _FURTHEST), match.start()) + 1
    if colon and not match["quote"] and "\n" in text and (begins := _BEGINS_LINE.fullmatch(text, line, match.start())):
        if block := _BLOCK.match(text, start):
            deeper = len(block["indent"]) > len(begins[0])
            return (start, block.end()) if deeper else None
        form = _OF_ENTRY
    found = VARIABLE.match(text, start) or form.match(text, start)
    return found.span() if found else None


def _closed(text: str, start: int) -> int | None:
    """Return the end of a bracket that opens at a place; None if it does not close nearby."""
    depth = 0
    for place in re.finditer(r"[{}\[\]]", text[start : start + _FURTHEST]):
        depth += 1 if place[0] in "{[" else -1
        if depth == 0:
            return start + place.end()
    return None


def _header(text: str, match: re.Match[str]) -> tuple[int, int] | None:
    """Return where the secret of a header lies: behind the scheme; of Basic and Bearer it is one word."""
    quote = re.compile(r"\\*[\"']").match(text, match.end())
    inner = quote.end() if quote else match.end()
    before = text[match.start() - 1 : match.start()]
    mark = quote[0] if quote else before if before in ("'", '"') else "\n"
    end = text.find(mark, inner)
    end = len(text) if end < 0 else end
    if scheme := _SCHEME.match(text, inner, end):
        inner = scheme.end()
        word = VARIABLE.match(text, inner, end) or _BARE.match(text, inner, end)
        if word and scheme["scheme"].lower() in ("basic", "bearer"):
            end = word.end()
    value = text[inner:end].rstrip()
    return None if not value or VARIABLE.fullmatch(value) else (inner, inner + len(value))
