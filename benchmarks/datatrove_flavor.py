"""How often the quality filters decide as datatrove's do, with `flavor: datatrove` and without.

The documents are texts of the Python environment and generated ones, which have what the definitions differ in:
punctuation of many scripts, odd line ends and spaces, bullets, citations, repeated lines and n-grams. Both sides cut
words at white space. The command fails if a decision with `flavor: datatrove` differs.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
from operators import built, datatrove, documents_of, package_texts
from peer_environments import DATATROVE, python_of

from mega_data_factory.framework.contracts import Filter

_FILTERS = ("gopher_quality_filter", "gopher_repetition_filter", "c4_quality_filter", "fineweb_quality_filter")
_WORDS = [
    "the",
    "be",
    "to",
    "of",
    "and",
    "that",
    "have",
    "with",
    "The",
    "And",
    "language",
    "model",
    "page",
    "reader",
    "number",
    "12",
    "3.5",
    "a",
    "I",
    "it's",
    "don't",
    "naïve",
    "Äpfel",
    "été",
    "—",
    "\u2013",
    "-",
    "...",
    "…",
    "#",
    "##",
    "•",
    "*",
    "\x85x",
    "\x1cy",
    "\uff11\uff12",
    "½",
    "²",
    "\u0627",
    "العربية",
    "слово",
    "漢字",
    "仮名",
    "ภาษา",
    "ok,",
    "fine.",
    "Really?",
    "Yes!",
    "(so)",
    "“quoted”",
    "[1]",
    "[edit]",
    "javascript",
    "JavaScript",
    "use",
    "cookies.",
    "{x}",
    "}",
    "lorem",
    "ipsum",
    "café́",
    "ab",
    "c",
    "a",
    "bc",
    "a.b",
    "😀",
    "\u200b",
    "x\xady",
    "ǅ",
    "ªº",
    "Ⅷ",
]
_ENDS = (
    ".",
    "!",
    "?",
    '"',
    "'",
    "...",
    "…",
    "",
    "",
    " ",
    ". ",
    "。",
    "؟",
    "”",
    "\u1b4e",
    "[12]",
    ".[3]",
    ".[edit]",
    "។",
    ":",
    ";",
)
_BREAKS = ("\n", "\n", "\n", "\n\n", "\n\n\n", "\r\n", "\r", "\n \n", "\v", "\f", "\x1c", "\x85", "\u2028", "\n\t")


def generated_texts(number: int) -> list[str]:
    """Return the same texts on every call: some with much repetition, some without, few to many lines."""
    chance = random.Random(20_261_127)
    return [_text(chance) for _ in range(number)]


def _text(chance: random.Random) -> str:
    vocabulary = [
        *chance.sample(_WORDS, chance.randint(3, len(_WORDS))),
        *(f"w{i}" for i in range(chance.choice((0, 30, 3000)))),
    ]
    prose = chance.random() < 0.6
    lines = [_line(chance, vocabulary, prose) for _ in range(chance.choice((0, 1, 3, 8, 20, 60)))]
    if lines and chance.random() < 0.5:
        lines += chance.choices(lines, k=chance.randint(1, 1 + len(lines) // 2))
    breaks = chance.choice((_BREAKS[:3], _BREAKS[:5], _BREAKS))
    text = "".join(line + chance.choice(breaks) for line in lines)
    return text.rstrip("\n") if chance.random() < 0.5 else text


def _line(chance: random.Random, vocabulary: Sequence[str], prose: bool) -> str:
    words = chance.choices(vocabulary, k=chance.randint(0, 40))
    if chance.random() < 0.2 and words:
        words += words[: chance.randint(1, 12)] * chance.randint(1, 3)
    if chance.random() < 0.01:
        words.append("x" * chance.choice((999, 1000, 1001, 1500)))
    space = chance.choice((" ", " ", " ", "  ", "\t", "\u3000"))
    start = chance.choice(("", "", "", "- ", "• ", "* ", "  - ", "\x1c• "))
    return start + space.join(words) + ("." if prose and chance.random() < 0.7 else chance.choice(_ENDS))


def reasons_of(name: str, documents: pa.Table, **parameters: object) -> list[str | None]:
    """Return why each document goes, None where it stays."""
    judge = built(name, **parameters)
    assert isinstance(judge, Filter)
    reasons: list[str | None] = judge.judge(documents).reason.to_pylist()
    return reasons


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=30)
    parser.add_argument("--generated", type=int, default=5000)
    parser.add_argument("--datatrove", help="interpreter of an environment with datatrove; made if omitted")
    arguments = parser.parse_args()
    corpora = {
        "environment": documents_of(package_texts(arguments.megabytes)),
        "generated": documents_of(generated_texts(arguments.generated)),
    }
    python = arguments.datatrove or python_of(DATATROVE)
    wrong = 0
    print(
        "| documents | filter | datatrove keeps | `flavor: datatrove` agrees | default agrees |\n|---|---|---|---|---|"
    )
    for corpus, documents in corpora.items():
        with datatrove(documents, python) as peer:
            for name in _FILTERS:
                theirs = peer.ask(name, answer=True)["reasons"]
                same = [reasons_of(name, documents, flavor=flavor) for flavor in ("datatrove", "paper")]
                agree = [sum((a is None) == (b is None) for a, b in zip(ours, theirs, strict=True)) for ours in same]
                shares = [f"{count / documents.num_rows:.2%}" for count in (sum(r is None for r in theirs), *agree)]
                print(f"| {documents.num_rows} {corpus} | `{name}` | {' | '.join(shares)} |", flush=True)
                wrong += documents.num_rows - agree[0]
                for pair, count in Counter(zip(theirs, same[1], strict=True)).most_common():
                    if (pair[0] is None) != (pair[1] is None):
                        print(f"    <!-- {count}: datatrove {pair[0]}, default {pair[1]} -->")
                for row, (ours, their) in enumerate(zip(same[0], theirs, strict=True)):
                    if (ours is None) != (their is None):
                        print(f"    document {row}: datatrove {their}, flavor {ours}")
    if wrong:
        raise SystemExit(f"{wrong} decisions differ")


if __name__ == "__main__":
    main()
