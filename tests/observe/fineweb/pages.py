"""Web pages of many kinds in WARC files: what each filter of the recipe is for comes up."""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

_WORDS = re.compile(r"\w+")

_NOUNS = _WORDS.findall(
    "river mountain harbour garden library kitchen engine letter village market teacher student doctor painter "
    "captain forest meadow bridge window morning evening winter summer storm island valley castle orchard museum "
    "railway station newspaper carpenter farmer sailor blanket candle mirror pocket shoulder whisper journey answer "
    "question promise secret lantern basket copper silver marble cotton pepper butter cherry walnut"
)
_VERBS = _WORDS.findall(
    "carried followed remembered visited repaired described painted crossed discovered protected watched measured "
    "welcomed ignored collected borrowed finished explained surprised defended opened polished gathered"
)
_ADJECTIVES = _WORDS.findall(
    "quiet narrow ancient bright heavy gentle curious distant familiar golden hidden hollow lonely modest patient "
    "rusty slender sudden tender velvet wooden foreign careful honest"
)
_SYLLABLES = _WORDS.findall("ka zu mi ortu bel vaq shon drei lla po ngu ti ver xo abla kri")
_FILLERS = ("and with", "because", "although", "while", "before", "after", "that", "where", "so that", "until")

_GERMAN = (
    "Die Brücke über den Fluss wurde im vergangenen Jahrhundert gebaut, und viele Menschen gehen jeden Tag über sie.",
    "Der Lehrer erklärte seinen Schülern, warum die Geschichte der Stadt so wichtig für die Gegenwart ist.",
    "Im Winter liegt auf den Bergen so viel Schnee, dass die Straßen oft für mehrere Tage gesperrt werden müssen.",
    "Am Abend trafen sich die Nachbarn im Garten, erzählten von früher und tranken zusammen ein Glas Wein.",
)


def _sentence(draw: random.Random) -> str:
    clauses = []
    for _ in range(draw.randint(1, 3)):
        adjective, other = draw.sample(_ADJECTIVES, 2)
        subject, target = draw.sample(_NOUNS, 2)
        clauses.append(f"the {adjective} {subject} {draw.choice(_VERBS)} a {other} {target}")
    text = clauses[0]
    for clause in clauses[1:]:
        text += f" {draw.choice(_FILLERS)} {clause}"
    return f"{text[0].upper()}{text[1:]} to the {draw.choice(_NOUNS)} of the {draw.choice(_NOUNS)}."


def _paragraphs(draw: random.Random, number: int) -> list[str]:
    return [" ".join(_sentence(draw) for _ in range(draw.randint(3, 6))) for _ in range(number)]


def _good(draw: random.Random) -> list[str]:
    return _paragraphs(draw, draw.randint(6, 12))


def _short(draw: random.Random) -> list[str]:
    return [" ".join(_sentence(draw) for _ in range(2))]


def _repetitive(draw: random.Random) -> list[str]:
    return [_paragraphs(draw, 1)[0]] * 8


def _without_stop_words(draw: random.Random) -> list[str]:
    return [
        " ".join(f"Every {draw.choice(_NOUNS)} never {draw.choice(_VERBS)} {draw.choice(_NOUNS)}s." for _ in range(8))
        for _ in range(6)
    ]


def _placeholder(draw: random.Random) -> list[str]:
    return [*_good(draw), "Lorem ipsum dolor sit amet, and the rest of the page is to be written by the editors later."]


def _lines_without_an_end(draw: random.Random) -> list[str]:
    return [sentence.rstrip(".") for _ in range(12) for sentence in [f"{_sentence(draw)} {_sentence(draw)}"]]


def _german(draw: random.Random) -> list[str]:
    return [" ".join(draw.sample(_GERMAN, 4)) for _ in range(6)]


def _of_no_language(draw: random.Random) -> list[str]:
    words = ["".join(draw.choices(_SYLLABLES, k=draw.randint(1, 4))) for _ in range(300)]
    return [" ".join(words[start : start + 50]) + "." for start in range(0, 300, 50)]


def _empty(draw: random.Random) -> list[str]:
    del draw
    return []


_KINDS: tuple[tuple[Callable[[random.Random], list[str]], int], ...] = (
    (_good, 10),
    (_short, 3),
    (_repetitive, 2),
    (_without_stop_words, 1),
    (_placeholder, 1),
    (_lines_without_an_end, 1),
    (_german, 1),
    (_of_no_language, 1),
    (_empty, 1),
)


def _pages(draw: random.Random, number: int) -> Iterator[tuple[str, str]]:
    """Yield address and HTML."""
    kinds = [kind for kind, share in _KINDS for _ in range(share)]
    for i in range(number):
        paragraphs = draw.choice(kinds)(draw)
        host = "news.example.org" if draw.random() < 0.95 else "xxx-adult-porn.example.org"
        body = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
        title = f"<title>Page {i}</title>"
        yield (
            f"https://{host}/page/{i}",
            f"<html><head>{title}</head><body><article>{body}</article></body></html>",
        )


def _record(address: str, html: str, number: int) -> bytes:
    payload = html.encode()
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n\r\n" % len(payload)
    head = (
        "WARC/1.0\r\nWARC-Type: response\r\n"
        f"WARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-{number:012d}>\r\n"
        f"WARC-Target-URI: {address}\r\nWARC-Date: 2023-12-01T00:00:00Z\r\n"
        "WARC-Identified-Payload-Type: text/html\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http) + len(payload)}\r\n\r\n"
    )
    return gzip.compress(head.encode() + http + payload + b"\r\n\r\n", mtime=0)


def write_pages(folder: Path, *, files: int = 4, pages: int = 80) -> int:
    """Write WARC files, every record a gzip member of its own; return the number of pages.

    Args:
        folder: where to; made when missing.
        files: number of files.
        pages: in each.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(2023)
    for file in range(files):
        records = [_record(*page, file * pages + i) for i, page in enumerate(_pages(draw, pages))]
        (folder / f"{file:05d}.warc.gz").write_bytes(b"".join(records))
    return files * pages
