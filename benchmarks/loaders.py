"""Throughput of the loaders on one core, beside the library that reads the same files alone.

All read the same texts in this process, in turns, to the end, into tables or values of Python; each figure is the
greatest of the rounds. The peers check nothing and name no record; ours names each record, refuses those that are not
UTF-8 or too large, and accounts for damage.
"""

from __future__ import annotations

import os

os.environ["POLARS_MAX_THREADS"] = "1"  # before polars is imported; of the others, each is asked for one thread

import argparse
import gzip
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq
from fastwarc.warc import ArchiveIterator, WarcRecordType
from make_corpus import ensure_corpus
from metering import bench_folder

from mega_data_factory.framework.config.mistakes import Place
from mega_data_factory.framework.contracts import Loader
from mega_data_factory.framework.registry import resolve

_BATCH = 1000


@dataclass(frozen=True)
class Case:
    """Files of one kind, the loader and its peers.

    Attributes:
        name: in the table.
        loader: short name of ours.
        folder: of the files.
        peers: each reads a file and returns how many records it has found.
    """

    name: str
    loader: str
    folder: Path
    peers: Mapping[str, Callable[[Path], int]]

    @property
    def files(self) -> list[Path]:
        """The files, in order."""
        return sorted(path for path in self.folder.iterdir() if path.name != "corpus.json")


def ours(case: Case) -> int:
    """Read all splits; return the number of records."""
    parameters: dict[str, object] = {"path": str(case.folder / f"*{case.files[0].suffix}")}
    loader: Loader = resolve("loader", case.loader, parameters, Place(())).build()
    return sum(table.num_rows for split in loader.splits(_BATCH) for table in loader.read(split, _BATCH))


def pyarrow_parquet(path: Path) -> int:
    """Read record batches."""
    return sum(batch.num_rows for batch in pq.ParquetFile(path).iter_batches(_BATCH, use_threads=False))


def polars_parquet(path: Path) -> int:
    """Read a frame."""
    return pl.read_parquet(path).height


def pyarrow_json(path: Path) -> int:
    """Read a table, in blocks of 4 MiB."""
    return int(pj.read_json(path, read_options=pj.ReadOptions(use_threads=False, block_size=4 << 20)).num_rows)


def polars_json(path: Path) -> int:
    """Read a frame."""
    return pl.read_ndjson(path).height


def fastwarc(path: Path) -> int:
    """Read the bodies of the responses."""
    with path.open("rb") as file:
        records = ArchiveIterator(file, record_types=WarcRecordType.response, parse_http=True, auto_decode="all")
        return sum(1 for record in records if record.reader.read() is not None)


def fastwarc_into_arrow(path: Path) -> int:
    """Read the responses into a table of URLs and bodies."""
    with path.open("rb") as file:
        records = ArchiveIterator(file, record_types=WarcRecordType.response, parse_http=True, auto_decode="all")
        rows = [(record.headers.get("WARC-Target-URI"), record.reader.read()) for record in records]
    urls, bodies = zip(*rows, strict=True)
    return len(pa.table({"url": pa.array(urls, pa.string()), "html": pa.array(bodies, pa.binary())}))


def plain_text(path: Path) -> int:
    """Read a string."""
    return int(path.read_text(encoding="utf-8") is not None)


def text_into_arrow(path: Path) -> int:
    """Read bytes into a table."""
    return len(pa.table({"text": pa.array([path.read_bytes()], pa.string())}))


def cases(texts: Sequence[str], megabytes: int) -> Iterator[Case]:
    """Write the files that are missing and yield the cases."""
    base = bench_folder()
    parquet = Path(ensure_corpus(base, megabytes).folder)
    lines = Path(ensure_corpus(base, megabytes, ".jsonl").folder)
    yield Case("Parquet", "parquet_loader", parquet, {"pyarrow": pyarrow_parquet, "polars": polars_parquet})
    yield Case("JSON lines", "jsonl_loader", lines, {"pyarrow": pyarrow_json, "polars": polars_json})
    for kind, suffix in (("WARC", ".warc"), ("WARC, gzip", ".warc.gz")):
        folder = base / f"pages-{megabytes}{suffix}"
        if not folder.exists():
            folder.mkdir()
            (folder / f"pages{suffix}").write_bytes(b"".join(_members(texts, compressed=suffix.endswith(".gz"))))
        yield Case(kind, "warc_loader", folder, {"fastwarc": fastwarc, "fastwarc, into Arrow": fastwarc_into_arrow})
    folder = base / f"texts-{megabytes}"
    if not folder.exists():
        folder.mkdir()
        for number, text in enumerate(texts):
            (folder / f"{number:06}.txt").write_text(text, encoding="utf-8")
    yield Case(
        "text", "text_loader", folder, {"Python's open": plain_text, "Python's open, into Arrow": text_into_arrow}
    )


def _members(texts: Sequence[str], *, compressed: bool) -> Iterator[bytes]:
    for number, text in enumerate(texts):
        http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + text.encode()
        header = (
            f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: https://host.example/{number}\r\n"
            f"WARC-Date: 2026-01-01T00:00:00Z\r\nWARC-Record-ID: <urn:uuid:{number:032x}>\r\n"
            f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
        )
        record = header.encode() + http + b"\r\n\r\n"
        yield gzip.compress(record, 6) if compressed else record


def _seconds(work: Callable[[], int]) -> tuple[float, int]:
    started = time.process_time()
    records = work()
    return time.process_time() - started, records


def measure(case: Case, megabytes: float, rounds: int) -> None:
    """Print one line for each peer of a case."""
    for peer, read in case.peers.items():
        pairs = []
        for _ in range(rounds):
            (our_seconds, found), (their_seconds, there) = (
                _seconds(lambda: ours(case)),
                _seconds(lambda read=read: sum(map(read, case.files))),  # type: ignore[misc]
            )
            if found != there:
                raise SystemExit(f"{case.name}: {found} records here, {there} with {peer}")
            pairs.append((our_seconds, their_seconds))
        our_speed, their_speed = (megabytes / min(pair[side] for pair in pairs) for side in (0, 1))
        print(
            f"| {case.name} | {our_speed:.0f} | {peer} | {their_speed:.0f} | {our_speed / their_speed:.2f} |",
            flush=True,
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    pa.set_cpu_count(1)
    corpus = ensure_corpus(bench_folder(), arguments.megabytes)
    texts = [text for path in corpus.paths for text in pq.read_table(path, columns=["text"])["text"].to_pylist()]
    print("| files | MB/s of text, ours | peer | MB/s, peer | ratio |\n|---|---|---|---|---|")
    for case in cases(texts, arguments.megabytes):
        measure(case, corpus.text_bytes / 1e6, arguments.rounds)


if __name__ == "__main__":
    main()
