"""What every built-in operator costs: CPU microseconds for a kB of text, beside datatrove's rule of the same kind.

Both sides have the documents in memory and take turns; each figure is the least of the rounds. Operators of this
package take them as tables of a thousand; datatrove's rules one by one, as they are made. Where a rule counts words,
datatrove is measured with runs without white space, which are the words of this package, and on some documents with the
words of spaCy, which it ships for English.

A filter of datatrove stops at the first test that a document fails. Ours makes all of them, as each has a score. The
last column is about the documents that datatrove keeps, for which both do all the work.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from make_corpus import ensure_corpus
from metering import ROOT, bench_folder
from peer_environments import DATATROVE, python_of

from mega_data_factory.catalogue import OPERATORS
from mega_data_factory.framework.contracts import Filter, Operator, OperatorContext, Refiner

sys.path.insert(0, str(ROOT / "benchmarks" / "baselines"))
from bare_loop import SeenKeys, operators

_BATCH = 1000
_SPACY_DOCUMENTS = 60
_WITH_WORDS = ("gopher_repetition_filter", "gopher_quality_filter", "c4_quality_filter", "fineweb_quality_filter")
_PEER_RULES = (
    "html_to_text_refiner",
    "unicode_repair_refiner",
    "text_statistics_refiner",
    "url_filter",
    "text_length_filter",
    *_WITH_WORDS,
    "minhash_deduplicator",
)
_COUNTING_WORDS = (*_WITH_WORDS, "minhash_deduplicator")
_PARAMETERS: dict[str, dict[str, object]] = {
    "language_filter": {"languages": ["en"], "min_score": 0.3},
    "token_count_refiner": {"tokenizer": str(ROOT / "tests" / "operators" / "tokenizer.json")},
    "url_filter": {"blocked_domains": ["bad.example"]},
}


class Peer:
    """A process of datatrove that runs one rule after another."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(
        self, rule: str, words: str = "whitespace", rows: Sequence[int] | None = None, *, answer: bool = False
    ) -> dict[str, Any]:
        """Return the CPU seconds of one pass over some documents or all, and the reasons if asked for."""
        assert self._process.stdin
        assert self._process.stdout
        asked = {"rule": rule, "words": words, "rows": rows, "answer": answer}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"datatrove ended over {rule}")
        found: dict[str, Any] = json.loads(line)
        return found


@contextmanager
def datatrove(documents: pa.Table, python: str) -> Iterator[Peer]:
    """Run datatrove over documents.

    Args:
        documents: `text`, `url` and `html`.
        python: interpreter of an environment of datatrove.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "documents.parquet")
        pq.write_table(documents, path)
        command = [python, str(ROOT / "benchmarks" / "baselines" / "datatrove_rules.py"), str(path)]
        with (
            Path(folder, "log").open("w") as log,
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1
            ) as process,
        ):
            try:
                yield Peer(process)
            finally:
                process.kill()


def package_texts(megabytes: float) -> list[str]:
    """Return texts of the files in the Python environment, spread over all of them."""
    corpus = ensure_corpus(bench_folder(), max(30, math.ceil(megabytes)))
    texts = [text for path in corpus.paths for text in pq.read_table(path, columns=["text"])["text"].to_pylist()]
    step = max(1, round(corpus.text_bytes / 1e6 / megabytes))
    return texts[::step]


def documents_of(texts: Sequence[str]) -> pa.Table:
    """Return records with a URL and a page for every text."""
    return pa.table(
        {
            "record_id": [str(number) for number in range(len(texts))],
            "text": texts,
            "url": [f"https://host{number % 97}.example/path/{number}?q=1" for number in range(len(texts))],
            "html": [_page(text) for text in texts],
            "language": ["en" if number % 3 else "de" for number in range(len(texts))],
            "language_score": [0.9] * len(texts),
        }
    )


def _page(text: str) -> str:
    paragraphs = "".join(f"<p>{escape(part)}</p>\n" for part in text.split("\n\n"))
    return f"<html><head><title>A page</title></head><body><nav><a href='/'>Home</a></nav>{paragraphs}</body></html>"


def built(name: str, **parameters: object) -> Operator:
    """Return an operator that is ready to run, alone."""
    (operator,) = operators([{"name": name, "params": parameters}])
    operator.setup(OperatorContext("all", name, "all_00", SeenKeys()))
    return operator


def seconds_of(name: str, documents: pa.Table) -> float:
    """Return the CPU seconds of one pass of an operator, after one batch that is not counted."""
    operator = built(name, **_PARAMETERS.get(name, {}))
    batches = [documents.slice(start, _BATCH) for start in range(0, documents.num_rows, _BATCH)]
    _apply(operator, batches[0].slice(0, 20))
    started = time.process_time()
    for batch in batches:
        _apply(operator, batch)
    return time.process_time() - started


def _apply(operator: Operator, table: pa.Table) -> None:
    if isinstance(operator, Refiner):
        operator.refine(table)
    elif isinstance(operator, Filter):
        operator.judge(table)


@dataclass(frozen=True)
class Row:
    """CPU microseconds for a kB of text; None where datatrove has no such rule."""

    ours: float
    white_space: float | None = None
    spacy: float | None = None
    times: float | None = None
    times_kept: float | None = None

    def cells(self, name: str) -> str:
        """Return a line of the table."""
        numbers = (self.ours, self.white_space, self.spacy, self.times, self.times_kept)
        return f"| `{name}` | {' | '.join('-' if number is None else f'{number:.1f}' for number in numbers)} |"


def measured(name: str, documents: pa.Table, peer: Peer, rounds: int) -> Row:
    """Measure one operator."""
    kilobytes = kilobytes_of(documents)
    if name not in _PEER_RULES:
        return Row(min(seconds_of(name, documents) for _ in range(rounds)) * 1e6 / kilobytes)
    answers = peer.ask(name, answer=True)["reasons"]
    kept = [row for row, reason in enumerate(answers) if reason is None]
    ours, theirs = _least(name, documents, peer, None, rounds)
    ours_kept, theirs_kept = _least(name, documents.take(kept), peer, kept, rounds) if name in _WITH_WORDS else (0, 0)
    spacy = None
    if name in _COUNTING_WORDS:
        few = list(range(min(_SPACY_DOCUMENTS, documents.num_rows)))
        spacy = peer.ask(name, "spacy", few)["seconds"] * 1e6 / kilobytes_of(documents.take(few))
    return Row(
        ours * 1e6 / kilobytes,
        theirs * 1e6 / kilobytes,
        spacy,
        theirs / ours,
        theirs_kept / ours_kept if ours_kept else None,
    )


def _least(name: str, documents: pa.Table, peer: Peer, rows: Sequence[int] | None, rounds: int) -> tuple[float, float]:
    """Return the least CPU seconds of a pass, of ours and of datatrove, which take turns."""
    pairs = [(seconds_of(name, documents), peer.ask(name, rows=rows)["seconds"]) for _ in range(rounds)]
    return min(ours for ours, _ in pairs), min(theirs for _, theirs in pairs)


def kilobytes_of(documents: pa.Table) -> float:
    """Return the size of the texts, in 1000 bytes."""
    return float(pc.sum(pc.binary_length(documents["text"])).as_py()) / 1e3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--datatrove", help="interpreter of an environment with datatrove; made if omitted")
    parser.add_argument("--only", nargs="*", default=list(OPERATORS), metavar="OPERATOR")
    arguments = parser.parse_args()
    documents = documents_of(package_texts(arguments.megabytes))
    print(f"{documents.num_rows} documents, {kilobytes_of(documents) / 1e3:.1f} MB of text\n")
    print("| operator | µs/kB | datatrove, white space | datatrove, spaCy | times | times, documents kept |")
    print("|---|---|---|---|---|---|")
    with datatrove(documents, arguments.datatrove or python_of(DATATROVE)) as peer:
        for name in arguments.only:
            print(measured(name, documents, peer, arguments.rounds).cells(name), flush=True)


if __name__ == "__main__":
    main()
