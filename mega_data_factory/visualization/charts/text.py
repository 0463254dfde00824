"""Text that people or machines chose, such as the id of a node, in places where Plotly understands markup."""

from __future__ import annotations


def plain(text: str) -> str:
    """The text as Plotly shows it letter by letter, in titles, names, ticks and labels.

    Plotly reads a subset of HTML (`<b>`, `<a href>`, entities) wherever it shows text, and `%{…}` in templates; a node
    id must stay what it is. Line breaks become blanks.
    """
    escaped = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("%{", "%&#123;")
