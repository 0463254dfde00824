"""Names that users gave, made fit to stand in a figure."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from textwrap import wrap

LONGEST = 42
_LINE = 56  # letters of a line of a label at the pointer
_LONG_ID = re.compile(r"[0-9a-fA-F-]{16,}")
_LEAST_ID = 8  # letters of a shortened id, at least


def safe(text: object, longest: int = LONGEST) -> str:
    """Return a name as Plotly takes it: shortened in its middle, one line, and no HTML in it.

    Plotly.js renders a part of HTML (`<b>`, `<a href>`, `<br>`) in every text of a figure and knows the entities, so
    `<`, `>` and `&` are written as such.
    """
    plain = " ".join(str(text).split())
    plain = "".join(letter for letter in plain if letter.isprintable())
    if len(plain) > longest:
        head = (longest - 1) * 2 // 3
        plain = f"{plain[:head]}…{plain[len(plain) - (longest - 1 - head) :]}"
    return html.escape(plain, quote=False)


def sentence(text: str) -> str:
    """Return a sentence for a label at the pointer: whole, in lines that fit on a phone, and safe."""
    return "<br>".join(safe(line, _LINE) for line in wrap(text, _LINE, break_on_hyphens=False))


def node_labels(nodes: Sequence[str], hosts: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a short name for each node, which no other one has.

    An id that people can read stays as it is. A long number gives way to its host, or to its own beginning.

    Args:
        nodes: ids.
        hosts: names of hosts by node id; of those that several nodes share, the id is put behind.
    """
    named = {node: (hosts or {}).get(node, "") if _LONG_ID.fullmatch(node) else "" for node in nodes}
    shared = {host for host, count in Counter(named.values()).items() if count > 1}
    length = _unique_length([node for node in nodes if _LONG_ID.fullmatch(node)])
    labels = {}
    for node, host in named.items():
        short = node[:length] if _LONG_ID.fullmatch(node) else node
        labels[node] = short if not host else f"{host} {short}" if host in shared else host
    return labels if len(set(labels.values())) == len(labels) else {node: node for node in nodes}


def _unique_length(ids: Sequence[str]) -> int:
    """Return the least number of letters, 8 or more, whose beginnings tell all ids apart."""
    ordered = sorted(ids)
    shared = max((_common(one, other) for one, other in pairwise(ordered)), default=0)
    return max(_LEAST_ID, shared + 1)


def _common(one: str, other: str) -> int:
    """Return how many letters two texts have in common at their beginning."""
    return next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), len(one))


def distinct(names: Iterable[str], longest: int = LONGEST) -> list[str]:
    """Return safe labels for a category axis, where two that are equal would fall together: later ones get a number."""
    seen: dict[str, int] = {}
    labels = []
    for name in names:
        label = safe(name, longest)
        seen[label] = seen.get(label, 0) + 1
        labels.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return labels
