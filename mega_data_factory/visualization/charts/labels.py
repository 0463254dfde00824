"""Names that users gave, made fit to stand in a figure."""

from __future__ import annotations

import html
from collections.abc import Iterable

LONGEST = 42


def safe(text: object, longest: int = LONGEST) -> str:
    """A name as Plotly can take it: shortened in its middle, one line, and with nothing that it would read as HTML.

    Plotly.js renders a part of HTML (`<b>`, `<a href>`, `<br>`) in every text of a figure and knows the entities, so
    `<`, `>` and `&` are written as such.
    """
    plain = " ".join(str(text).split())
    plain = "".join(letter for letter in plain if letter.isprintable())
    if len(plain) > longest:
        head = (longest - 1) * 2 // 3
        plain = f"{plain[:head]}…{plain[len(plain) - (longest - 1 - head) :]}"
    return html.escape(plain, quote=False)


def distinct(names: Iterable[str], longest: int = LONGEST) -> list[str]:
    """Safe labels for a category axis, where two that are equal would fall together: later ones get a number."""
    seen: dict[str, int] = {}
    labels = []
    for name in names:
        label = safe(name, longest)
        seen[label] = seen.get(label, 0) + 1
        labels.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return labels
