"""Gopher's quality and repetition rules with this package and its peers, each as its documentation shows.

Each peer runs in an environment of its own from PyPI, made below `build/` at first; two workers each. The corpus is
that of the other benchmarks, or a folder of `.jsonl` files with a key `text`. Definitions differ, and so do the records
that are kept:

- datatrove has two rows: with the words of spaCy, its default for English, and with `str.split`.
- data-juicer has no Gopher filters; these are its filters of the same kind.
- Ray Data has no filters; the rules are plain Python.
- polars has no n-grams in its expressions: the duplicate lines are all it has of the repetition rules.

    make bench-peers
    make bench-peers CORPUS=/data/pages
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from make_corpus import ensure_corpus
from metering import ROOT, Spread, Usage, Variant, bench_folder, interleaved, python
from peer_environments import DATA_JUICER, DATATROVE, POLARS, RAY_DATA, Environment, python_of

_SCRIPTS = ROOT / "benchmarks" / "peers"


@dataclass(frozen=True)
class Peer:
    """A program that is compared.

    Attributes:
        name: in the table.
        file: its script or configuration, below `peers/`.
        command: returns the command, given the interpreter, the file, the source and the target.
        environment: that it runs in; None for this one.
    """

    name: str
    file: str
    command: Callable[[str, Path, str, Path], Sequence[object]]
    environment: Environment | None = None

    @property
    def lines(self) -> int:
        """Lines of its script or configuration that are neither blank nor comment."""
        text = (_SCRIPTS / self.file).read_text()
        return sum(1 for line in text.splitlines() if line.strip() and not line.strip().startswith("#"))


def _script(*more: str) -> Callable[[str, Path, str, Path], Sequence[object]]:
    return lambda interpreter, file, source, target: [interpreter, file, source, target, *more]


def _filled(file: Path, source: str, target: Path) -> Path:
    """Write a configuration with the folders in it."""
    path = target / file.name
    path.write_text(file.read_text().replace("{source}", source).replace("{target}", str(target)))
    return path


def _mdf(_: str, file: Path, source: str, target: Path) -> Sequence[object]:
    return python("-m", "mega_data_factory.cli", "run", "--config", _filled(file, f"{source}/*.jsonl", target))


def _data_juicer(interpreter: str, file: Path, source: str, target: Path) -> Sequence[object]:
    return [Path(interpreter).with_name("dj-process"), "--config", _filled(file, source, target)]


PEERS = (
    Peer("mega-data-factory", "mdf.yaml", _mdf),
    Peer("polars, no n-grams", "polars_gopher.py", _script(), POLARS),
    Peer("Ray Data, plain Python", "ray_data_gopher.py", _script(), RAY_DATA),
    Peer("datatrove, str.split", "datatrove_gopher.py", _script("whitespace"), DATATROVE),
    Peer("datatrove, spaCy", "datatrove_gopher.py", _script("spacy"), DATATROVE),
    Peer("data-juicer, its own filters", "data_juicer.yaml", _data_juicer, DATA_JUICER),
)


def variant(peer: Peer, source: str, interpreters: Mapping[str, str]) -> Variant:
    """Return what is measured; makes the environment if none is given."""
    interpreter = ""
    if peer.environment is not None:
        interpreter = interpreters.get(peer.environment.name) or python_of(peer.environment)

    def command(target: Path) -> list[str]:
        (target / "data").parent.mkdir(exist_ok=True)
        return [str(part) for part in peer.command(interpreter, _SCRIPTS / peer.file, source, target)]

    return Variant(peer.name, command)


def source_of(corpus: str | None, megabytes: int) -> tuple[str, int, float]:
    """Return the folder, its documents and the megabytes of their texts."""
    if corpus is None:
        made = ensure_corpus(bench_folder(), megabytes, ".jsonl")
        links = bench_folder() / f"peers-{megabytes}"  # without the corpus's manifest, which some would read
        links.mkdir(exist_ok=True)
        for path in made.paths:
            if not (links / path.name).exists():
                (links / path.name).symlink_to(path)
        return str(links), made.documents, made.text_bytes / 1e6
    documents = size = 0
    for path in sorted(Path(corpus).glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                documents += 1
                size += len(json.loads(line)["text"].encode())
    if not documents:
        raise SystemExit(f"{corpus}: no records in files *.jsonl")
    return corpus, documents, size / 1e6


def row(peer: Peer, usages: Sequence[Usage], documents: int, megabytes: float) -> str:
    """Return one line of the table."""
    cpu = Spread.of([usage.cpu for usage in usages])
    peak = max(usage.peak_bytes for usage in usages) / 1e6
    speeds = f"{documents / cpu.median:.0f} | {megabytes / cpu.median:.2f}"
    return f"| {peer.name} | {cpu} | {speeds} | {peak:.0f} | {peer.lines} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", help="folder of .jsonl files with a key `text`")
    parser.add_argument("--megabytes", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[peer.name for peer in PEERS], metavar="NAME")
    parser.add_argument("--python", nargs="*", default=[], metavar="ENVIRONMENT=INTERPRETER", help="use these")
    arguments = parser.parse_args()
    interpreters = dict(item.split("=", 1) for item in arguments.python)
    source, documents, megabytes = source_of(arguments.corpus, arguments.megabytes)
    chosen = [peer for peer in PEERS if peer.name in arguments.only]
    results = interleaved([variant(peer, source, interpreters) for peer in chosen], arguments.rounds, memory=True)
    print(f"\n{documents} documents, {megabytes:.1f} MB of text\n")
    print("| | CPU-s | records a CPU-s | MB a CPU-s | peak MB | lines |\n|---|---|---|---|---|---|")
    for peer in chosen:
        print(row(peer, results[peer.name], documents, megabytes))


if __name__ == "__main__":
    main()
