"""A whole HTML file in which nothing runs but what was put there, and which may fetch nothing."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

import plotly.offline

from mega_data_factory.visualization.theme import Theme

_PAGE = """<!DOCTYPE html>
<html lang="en" data-theme="{theme}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="mega-data-factory">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
{data}
{scripts}
</body>
</html>
"""


def html_document(
    title: str, body: str, theme: Theme, *, style: str, scripts: Sequence[str], data: Mapping[str, object]
) -> str:
    """Return the text of a self-contained HTML file.

    Its Content-Security-Policy names the digest of each script: script that came in with some text does not run even
    if it got past all escaping, and no request leaves the page.

    Args:
        title: of the window; any text.
        body: HTML; what is not ours in it must be escaped.
        theme: the look, as custom properties before `style`.
        style: CSS.
        scripts: run in this order, after the body.
        data: JSON documents, by the id under which a script finds them.
    """
    policy = (
        f"default-src 'none'; script-src {script_sources(scripts)}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    blocks = [
        f'<script type="application/json" id="{name}">{script_json(value)}</script>' for name, value in data.items()
    ]
    return _PAGE.format(
        theme=theme.name,
        policy=policy,
        title=html.escape(title),
        style=theme.css() + "\n" + style,
        body=body,
        data="\n".join(blocks),
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
    )


@cache
def plotly_script() -> str:
    """Return the plotly.js that the installed plotly brings, 4.8 MB."""
    script: str = plotly.offline.get_plotlyjs()
    return script


def script_json(value: object) -> str:
    """Return JSON that is safe in a `<script>` element: nothing in it can end the element or begin a comment."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def script_sources(scripts: Iterable[str]) -> str:
    """Return the digests of scripts, as a Content-Security-Policy names what may run."""
    return " ".join(f"'sha256-{_digest(script)}'" for script in scripts)


@cache
def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
