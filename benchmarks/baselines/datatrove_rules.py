"""Rules of datatrove over a corpus, on request; runs in an environment of datatrove, without this package.

python datatrove_rules.py CORPUS.parquet

Each line of the standard input is a JSON object: `rule`, one of `RULES`; `words`, `spacy` or `whitespace`; the numbers
of the documents to take, all if null (`rows`); and whether to `answer`. The line that comes back has the CPU `seconds`
of one pass over the documents and, if asked for, the `reasons`: null where the document stays.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import pyarrow.parquet as pq
from datatrove.data import Document
from datatrove.pipeline.dedup.minhash import MinhashDedupSignature
from datatrove.pipeline.extractors.trafilatura import Trafilatura
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    LambdaFilter,
    URLFilter,
)
from datatrove.pipeline.formatters.ftfy import FTFYFormatter
from datatrove.pipeline.stats.doc_stats import DocStats
from datatrove.utils import text as datatrove_text
from datatrove.utils.word_tokenizers import WordTokenizer

_WORD = re.compile("[^\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_SENTENCE_END = re.compile(
    r"[.!?]+[\"'\u201d\u2019)\]]*(?:[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]|$)"
)


class WhiteSpace(WordTokenizer):  # type: ignore[misc]  # datatrove has no types
    """Words are runs without white space; a sentence ends with punctuation before white space."""

    def word_tokenize(self, text: str) -> list[str]:
        """Return the words."""
        return _WORD.findall(text)

    def sent_tokenize(self, text: str) -> list[str]:
        """Return the sentences."""
        return [text[begin:end] for begin, end in self.span_tokenize(text)]

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        """Return where the sentences begin and end; what is behind the last end belongs to the last."""
        ends = [found.end() for found in _SENTENCE_END.finditer(text)] or [len(text)]
        return list(zip([0, *ends[:-1]], [*ends[:-1], len(text)], strict=True))


def _signature(words: Any) -> Callable[[Document], Any]:
    step = MinhashDedupSignature(tempfile.mkdtemp(), language=words)

    def signature(document: Document) -> Any:
        shingles = step.get_shingles(document.text)
        return step.get_signature(shingles) if shingles.size else None

    return signature


def _of_page(step: Any) -> Callable[[Document], Any]:
    return lambda document: step.extract(document.metadata["html"])


def _of_text(step: Any) -> Callable[[Document], Any]:
    return lambda document: step.format(document.text)


RULES: dict[str, Callable[[Any], Callable[[Document], Any]]] = {
    "html_to_text_refiner": lambda _: _of_page(Trafilatura()),
    "unicode_repair_refiner": lambda _: _of_text(FTFYFormatter()),
    "text_statistics_refiner": lambda _: DocStats(tempfile.gettempdir()).extract_stats,
    "url_filter": lambda _: URLFilter(use_integrated_lists=False, extra_domains=["bad.example"]).filter,
    "text_length_filter": lambda _: LambdaFilter(lambda document: 200 <= len(document.text) <= 100_000).filter,
    "gopher_repetition_filter": lambda words: GopherRepetitionFilter(language=words).filter,
    "gopher_quality_filter": lambda words: GopherQualityFilter(language=words).filter,
    "c4_quality_filter": lambda words: C4QualityFilter(language=words).filter,
    "fineweb_quality_filter": lambda words: FineWebQualityFilter(language=words).filter,
    "minhash_deduplicator": _signature,
}


def main() -> None:
    """Answer every line."""
    columns = pq.read_table(sys.argv[1]).to_pydict()
    for line in sys.stdin:
        asked = json.loads(line)
        step = RULES[asked["rule"]]("en" if asked["words"] == "spacy" else WhiteSpace())
        rows = range(len(columns["text"])) if asked["rows"] is None else asked["rows"]
        documents = [_document(columns, row) for row in rows]  # made anew for each pass: the filter of C4 changes them
        step(_document(columns, 0))
        datatrove_text.split_into_parts.cache_clear()
        started = time.process_time()
        answers = [step(document) for document in documents]
        seconds = time.process_time() - started
        reasons = [_reason(answer) for answer in answers] if asked.get("answer") else None
        print(json.dumps({"seconds": seconds, "reasons": reasons}), flush=True)


def _document(columns: dict[str, list[str]], row: int) -> Document:
    metadata = {"url": columns["url"][row], "html": columns["html"][row]}
    return Document(text=columns["text"][row], id=str(row), metadata=metadata)


def _reason(answer: Any) -> str | None:
    """Return why a document goes, None where it stays."""
    kept, reason = answer if isinstance(answer, tuple) else (answer, "dropped")
    return None if kept else str(reason)


if __name__ == "__main__":
    main()
