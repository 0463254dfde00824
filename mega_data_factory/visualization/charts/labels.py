"""Names that users gave, made safe for a figure."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from textwrap import wrap
from unicodedata import category, east_asian_width

from mega_data_factory.formats import joints

LONGEST = 42
_LINE = 56  # widths of a letter in a line of a label at the pointer
_NO_WIDTH = ("Mn", "Me", "Cf")
_LONG_ID = re.compile(r"[0-9a-fA-F-]{16,}")
_LEAST_ID = 8  # letters of a shortened id, at least


def safe(text: object, longest: int = LONGEST) -> str:
    """Return a name as Plotly takes it: shortened in its middle, one line, and no HTML in it.

    Plotly.js renders a part of HTML (`<b>`, `<a href>`, `<br>`) in every text of a figure and knows the entities, so
    `<`, `>` and `&` are written as such.

    Args:
        text: The name.
        longest: How wide it may be, see `width`.
    """
    plain = " ".join(str(text).split())
    plain = "".join(letter for letter in plain if letter.isprintable())
    if width(plain) > longest:
        head = _fitting(plain, (longest - 1) * 2 // 3)
        tail = _fitting(plain[::-1], longest - 1 - width(head))[::-1]
        plain = f"{head}…{tail.lstrip(''.join(filter(_is_mark, tail)))}"
    return html.escape(plain, quote=False)


def sentence(text: str) -> str:
    """Return a sentence for a label at the pointer: whole, in lines that fit on a phone, and safe."""
    lines = (part for line in wrap(text, _LINE, break_on_hyphens=False) for part in _broken(line))
    return "<br>".join(safe(line, _LINE) for line in lines)


def width(text: str) -> int:
    """Return how wide a text is, in Latin letters: those of East Asia count two, marks on a letter none."""
    return sum(0 if _is_mark(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _is_mark(letter: str) -> bool:
    return category(letter) in _NO_WIDTH


def _fitting(text: str, most: int) -> str:
    """Return the beginning of a text that is at most so wide."""
    ends = accumulate(map(width, text))
    return "".join(letter for letter, end in zip(text, ends, strict=True) if end <= most)


def _broken(line: str) -> Iterator[str]:
    """Break a line of wide letters, which `wrap` takes for half as wide."""
    while width(line) > _LINE:
        part = _fitting(line, _LINE)
        yield part
        line = line[len(part) :]
    yield line


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


def short_and_distinct(names: Sequence[str], longest: int) -> list[str]:
    """Return safe labels of the names of one place, so short that they fit, and unlike where the names are.

    Names that would read alike once they are shortened lose what they have in common at their beginning, and then
    their end: `mean_word_length_below_minimum` and `…_above_maximum` become `…below_min…` and `…above_max…`.

    Args:
        names: The names.
        longest: How wide a label may be, see `width`.
    """
    labels = [safe(name, longest) for name in names]
    for label, number in Counter(labels).items():
        alike = [at for at, other in enumerate(labels) if other == label]
        if number < 2 or len({names[at] for at in alike}) < 2:
            continue
        common = _common_words([names[at] for at in alike])
        for at in alike:
            labels[at] = _cut(f"…{names[at][common:]}" if common else names[at], longest)
    return labels


def _common_words(names: Sequence[str]) -> int:
    """Return how many letters all names have in common at their beginning, up to the end of a word."""
    ordered = sorted(names)
    shared = ordered[0][: _common(ordered[0], ordered[-1])]
    ends = [0, *accumulate(map(len, joints(ordered[0])))]
    return max(end for end in ends if end <= len(shared))


def _cut(text: str, longest: int) -> str:
    plain = html.unescape(safe(text, 10**6))
    return html.escape(plain if width(plain) <= longest else f"{_fitting(plain, longest - 1)}…", quote=False)


def distinct(names: Iterable[str], longest: int = LONGEST) -> list[str]:
    """Return safe labels for a category axis, where two that are equal would fall together: later ones get a number."""
    seen: dict[str, int] = {}
    labels = []
    for name in names:
        label = safe(name, longest)
        seen[label] = seen.get(label, 0) + 1
        labels.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return labels
