"""Builds a corpus out of the text files that lie in the Python environment: the same on every run, of any size.

Every text file of the environment is a document, taken once. When they are used up, the next edition begins: the same
documents, each with one more line in its middle, so that no two are alike. After every nine documents comes an exact
copy of one from earlier: a tenth of the corpus is duplicates, and an exact deduplicator must find just these.

    python benchmarks/make_corpus.py --folder /tmp/corpus --megabytes 1000
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mega_data_factory.loaders.text_loader import TextLoader

UNIQUE_PER_COPY = 9
FILE_BYTES = 32_000_000
ROW_GROUP = 1000
_MANIFEST = "corpus.json"


@dataclass(frozen=True)
class Corpus:
    """A corpus on disk.

    Attributes:
        folder: where its files are.
        suffix: `.parquet` or `.jsonl`.
        files: how many.
        documents: in all files, copies included.
        copies: documents that are exact copies of an earlier one.
        text_bytes: UTF-8 bytes of all texts.
    """

    folder: str
    suffix: str
    files: int
    documents: int
    copies: int
    text_bytes: int

    @property
    def paths(self) -> list[Path]:
        """The files, in order."""
        return sorted(Path(self.folder).glob(f"*{self.suffix}"))


def ensure_corpus(folder: Path, megabytes: int, suffix: str = ".parquet") -> Corpus:
    """Return the corpus of that size in a folder below `folder`; build it if missing."""
    place = folder / f"corpus-{megabytes}{suffix}"
    manifest = place / _MANIFEST
    if not manifest.exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        corpus = _build(place, megabytes * 1_000_000, suffix)
        manifest.write_text(json.dumps(asdict(corpus), indent=2))
    return Corpus(**{**json.loads(manifest.read_text()), "folder": str(place)})


def environment_texts() -> list[str]:
    """Return every different text of 1 to 1,000,000 characters in the environment, in a mixed but fixed order."""
    loader = TextLoader(path=["{site-packages}", "{stdlib}"], suffixes=[".py", ".md", ".rst", ".txt", ".html"])
    texts: dict[str, None] = {}
    for split in loader.splits(1000):
        for table in loader.read(split, 1000):
            texts.update(dict.fromkeys(table.column("text").to_pylist()))
    chosen = [text for text in texts if 0 < len(text) <= 1_000_000]
    random.Random(20_261_122).shuffle(chosen)
    return chosen


def _document(texts: list[str], number: int) -> str:
    """Return document `number` of the endless corpus without copies."""
    text, edition = texts[number % len(texts)], number // len(texts)
    if edition == 0:
        return text
    middle = text.find("\n", len(text) // 2) + 1
    return f"{text[:middle]}This is edition {edition} of the document.\n{text[middle:]}"


def _documents(texts: list[str]) -> Iterator[tuple[str, bool]]:
    """Yield documents without end, each with whether it is a copy."""
    number = 0
    while True:
        yield _document(texts, number), False
        number += 1
        if number % UNIQUE_PER_COPY == 0:
            yield _document(texts, number // 2), True


def _build(place: Path, text_bytes: int, suffix: str) -> Corpus:
    texts = environment_texts()
    written = files = copies = in_file = 0
    waiting: list[str] = []
    for documents, (text, is_copy) in enumerate(_documents(texts), 1):
        size = len(text.encode())
        waiting.append(text)
        copies += is_copy
        written += size
        in_file += size
        done = written >= text_bytes
        if in_file >= FILE_BYTES or done:
            _write(place / f"part-{files:05d}{suffix}", documents - len(waiting), waiting)
            files, in_file, waiting = files + 1, 0, []
        if done:
            return Corpus(str(place), suffix, files, documents, copies, written)
    raise AssertionError("documents never end")


def _write(path: Path, first: int, texts: list[str]) -> None:
    if path.suffix == ".jsonl":
        with path.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps({"doc": first + i, "text": text}) + "\n" for i, text in enumerate(texts))
        return
    numbers = pa.array(range(first, first + len(texts)), pa.int64())
    table = pa.table({"doc": numbers, "text": pa.array(texts, pa.string())})
    pq.write_table(table, path, compression="zstd", row_group_size=ROW_GROUP)


def main() -> None:
    """Build the corpus that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--megabytes", type=int, default=1000, help="of text, 10^6 bytes each")
    parser.add_argument("--format", choices=["parquet", "jsonl"], default="parquet")
    arguments = parser.parse_args()
    corpus = ensure_corpus(arguments.folder, arguments.megabytes, f".{arguments.format}")
    print(json.dumps(asdict(corpus), indent=2))


if __name__ == "__main__":
    main()
