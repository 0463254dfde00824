"""Whether a path would be listed is answered as listing answers it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mega_data_factory import storage

FILES = ["a.jsonl", "B.JSONL", "x/b.jsonl", "x/y/c.jsonl", "x/y/_d.jsonl", "_s/e.jsonl", ".h/f.jsonl", "x/[g].jsonl"]
FILES += ["x/notes.txt", "z[1]/i.jsonl", "x/.jsonl", "y.jsonl/j.jsonl"]
PATTERNS = [
    "",
    "/",
    "x",
    "x/",
    "*",
    "*.jsonl",
    "*/*",
    "*/*.jsonl",
    "**",
    "**/*.jsonl",
    "**/y/*",
    "x/**",
    "x/**/*.jsonl",
]
PATTERNS += [
    "_s",
    "_*",
    "_s/*",
    ".h/*",
    "[ax]*",
    "?",
    "x/[[]g].jsonl",
    "z[1]",
    "z[[]1]/*",
    "*/y",
    "a.jsonl",
    "x/notes.txt",
]


@pytest.mark.parametrize("ignore", [(".", "_"), ()])
@pytest.mark.parametrize("suffixes", [[".jsonl"], None])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_what_is_listed_would_be_listed(
    tmp_path: Path, pattern: str, suffixes: list[str] | None, ignore: tuple[str, ...]
) -> None:
    """Of every file in a tree `would_list` says what `list_files` does."""
    for name in FILES:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    where = f"{tmp_path}/in/{pattern}"
    listed = {info.path for info in storage.list_files(where, suffixes, ignore=ignore)}
    assert listed
    files = [str(tmp_path / "in" / name) for name in FILES]
    assert listed == {file for file in files if storage.would_list(where, file, suffixes, ignore=ignore)}
