"""Files are whole or absent, found in a fixed order, and every failure names the file and the reason."""

from __future__ import annotations

import contextlib
import errno
import glob
import gzip
import os
import socket
import sys
import threading
import uuid
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
import zstandard
from fsspec.spec import AbstractBufferedFile
from hypothesis import given, settings
from hypothesis import strategies as st

from mega_data_factory import storage
from mega_data_factory.errors import InputError, OutputError


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "out") if request.param == "local" else f"memory://{uuid.uuid4().hex}/out"


def put(uri: str, content: bytes) -> str:
    with storage.atomic_output(uri) as sink:
        sink.write(content)
    return uri


def test_output_takes_its_name_when_whole(folder: str) -> None:
    """A file written well has its content, in a folder that was made for it, with nothing beside it."""
    uri = storage.join(folder, "a", "x.bin")
    with storage.atomic_output(uri) as sink:
        sink.write(b"hello")
        assert not storage.exists(uri)
    assert storage.read_bytes(uri) == b"hello"
    assert storage.size(uri) == 5
    assert storage.list_dir(storage.join(folder, "a")) == ["x.bin"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, FileNotFoundError])
def test_output_is_absent_after_any_exception(folder: str, error: type[BaseException]) -> None:
    """Whatever ends the block, it passes through, the old file stays as it was and no temporary file remains."""
    uri = put(storage.join(folder, "x.bin"), b"old")
    with pytest.raises(error), storage.atomic_output(uri) as sink:  # noqa: PT012 - the block is what is tested
        sink.write(b"new")
        raise error
    assert storage.read_bytes(uri) == b"old"
    assert storage.list_dir(folder) == ["x.bin"]


def test_two_attempts_never_share_a_file(tmp_path: Path) -> None:
    """Threads that write the same file at once leave one whole content, never a mixture."""
    uri, started = str(tmp_path / "x.bin"), threading.Barrier(4)

    def write(letter: bytes) -> None:
        with storage.atomic_output(uri) as sink:
            started.wait()
            for _ in range(100):
                sink.write(letter * 1000)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b", b"c", b"d")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    content = Path(uri).read_bytes()
    assert len(content) == 100_000
    assert len(set(content)) == 1
    assert storage.list_dir(tmp_path) == ["x.bin"]


def test_full_disk_is_an_output_error_that_names_the_file(tmp_path: Path) -> None:
    """A write that fails for want of space says so, with the path and what to do."""
    uri = tmp_path / "x.bin"
    with pytest.raises(OutputError, match=r"x\.bin: No space left.*\n.*free some space"), storage.atomic_output(uri):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert storage.list_dir(tmp_path) == []


def test_output_below_a_file_is_an_output_error(tmp_path: Path) -> None:
    """A folder that cannot be made is an `OutputError` chained to its cause."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write") as caught, storage.atomic_output(tmp_path / "file" / "x"):
        pass
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize("suffix", [".txt", ".txt.gz"])
def test_the_beginning_of_a_file_is_read(folder: str, suffix: str) -> None:
    """No more bytes than asked for are read, decompressed, and all of a shorter file."""
    data = b"0123456789" * 1000
    uri = put(storage.join(folder, f"a{suffix}"), gzip.compress(data) if suffix.endswith(".gz") else data)
    for most in (0, 1, 9_999, 10_000, 10_001, 1 << 20):
        assert storage.read_beginning(uri, most) == data[:most]


@pytest.mark.parametrize("suffix", [".gz", ".zst", ".zstd"])
def test_compressed_input_is_read_across_members(folder: str, suffix: str) -> None:
    """Decompression follows the file name and goes on over concatenated members; an empty file is empty."""
    pack = gzip.compress if suffix == ".gz" else zstandard.compress
    uri = put(storage.join(folder, f"x{suffix}"), pack(b"one\ntwo\n") + pack(b"three\n"))
    with storage.open_input(uri) as file:
        assert list(file) == [b"one\n", b"two\n", b"three\n"]
    with storage.open_input(uri, decompress=False) as file:
        assert file.read(2) == pack(b"")[:2]
    with storage.open_input(put(storage.join(folder, f"empty{suffix}"), b"")) as file:
        assert file.read() == b""


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_truncated_input_raises(tmp_path: Path, suffix: str) -> None:
    """A compressed file that ends early raises rather than looking shorter than it is."""
    whole = (gzip.compress if suffix == ".gz" else zstandard.compress)(os.urandom(5000))
    (tmp_path / f"x{suffix}").write_bytes(whole[:-20])
    with storage.open_input(tmp_path / f"x{suffix}") as file, pytest.raises(OSError, match="the file ends within it"):
        file.read()


@pytest.mark.parametrize("name", ["missing.txt", "missing.gz", "."])
def test_unreadable_input_names_path_and_reason(tmp_path: Path, name: str) -> None:
    """Opening what is missing or a folder is an `InputError` with path and reason."""
    with pytest.raises(InputError, match=r"cannot open .*: (No such file|Is a directory)"):
        storage.open_input(tmp_path / name)


def test_unknown_protocol_is_explained() -> None:
    """A protocol nobody knows is an error of the input or of the output, with a hint."""
    with pytest.raises(InputError, match=r"fooo://x.*\n.*hint"):
        storage.open_input("fooo://x")
    with pytest.raises(OutputError, match="fooo://x"), storage.atomic_output("fooo://x"):
        pass


@pytest.mark.parametrize(("protocol", "extra"), [("s3", "s3"), ("gs", "gcs")])
def test_a_missing_package_is_named(protocol: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the package of a store is not installed, the hint is the command that installs it."""
    for package in ("s3fs", "gcsfs"):
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "mega_data_factory.storage.s3", raising=False)  # an earlier test may have it
    known = sys.modules["fsspec.registry"]._registry  # `fsspec.registry` is a view of it
    monkeypatch.delitem(known, protocol, raising=False)
    with pytest.raises(InputError, match=rf"pip install 'mega-data-factory\[{extra}\]'"):
        storage.read_bytes(f"{protocol}://bucket/x")


def test_files_are_found_in_folders_and_globs(folder: str) -> None:
    """A folder is searched to its depths, hidden and underscore names are left out, the order is that of names."""
    for name in ["b.txt", "a/c.TXT", "a/d.md", ".hidden.txt", "_SUCCESS", "a/_tmp/e.txt", "a/b/f.txt"]:
        put(storage.join(folder, *name.split("/")), b"12")

    def names(pattern: str, suffixes: list[str] | None = None) -> list[str]:
        return [
            info.name for info in storage.list_files(storage.join(folder, pattern) if pattern else folder, suffixes)
        ]

    assert names("") == ["a/b/f.txt", "a/c.TXT", "a/d.md", "b.txt"]
    assert names("", [".txt"]) == ["a/b/f.txt", "a/c.TXT", "b.txt"]
    assert names("**/*.txt") == ["a/b/f.txt", "b.txt"]
    assert names("*/*.md") == ["a/d.md"]
    assert names("b.txt", [".md"]) == ["b.txt"]
    assert names("_SUCCESS") == ["_SUCCESS"]
    found = storage.list_files(folder)[0]
    assert found.size == 2
    assert storage.read_bytes(found.path) == b"12"
    assert storage.read_bytes(storage.join(found.root, found.name)) == b"12"


@pytest.mark.parametrize("pattern", ["nope", "nope.txt", "*.nope"])
def test_no_match_is_an_input_error(folder: str, pattern: str) -> None:
    """Nothing found under a name or a glob is an error that names it."""
    put(storage.join(folder, "x"), b"")
    with pytest.raises(InputError, match=r"nothing matches .*nope"):
        storage.list_files(storage.join(folder, pattern))


def test_links_are_followed_but_not_round_in_circles(tmp_path: Path) -> None:
    """A link to a folder is read, a link to a folder above is not, a dangling link is listed, a pipe is not."""
    (tmp_path / "in").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x").write_text("1")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "other")
    (tmp_path / "in" / "circle").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "in" / "pipe")
    found = storage.list_files(tmp_path / "in")
    assert [(info.name, info.size) for info in found] == [("dangling", 0), ("link/x", 1)]


def test_names_of_any_bytes_and_wildcards_are_found(tmp_path: Path) -> None:
    """A file name that is not UTF-8 is listed and opened, and a name with brackets is taken as it is."""
    (tmp_path / "d[1]").mkdir()
    path = os.fsencode(tmp_path / "d[1]") + b"/\xff.txt"
    Path(os.fsdecode(path)).write_bytes(b"x")
    (info,) = storage.list_files(tmp_path / "d[1]")
    assert storage.read_bytes(info.path) == b"x"
    with pytest.raises(InputError, match="udcfe"):
        storage.list_files(os.fsdecode(b"/nope\xfe"))


def test_removing_what_is_not_there_is_no_error(folder: str) -> None:
    """Files and folders go away, and going away twice is no error."""
    uri = put(storage.join(folder, "x"), b"")
    for _ in range(2):
        storage.remove(uri)
        assert not storage.exists(uri)
    put(uri, b"")
    assert storage.is_folder(folder)
    for _ in range(2):
        storage.remove_tree(folder)
        assert storage.list_dir(folder) == []


def test_local_locations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` and `file://` name local files, a URI of another protocol does not."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert storage.local_path("~/x") == tmp_path / "x"
    assert storage.local_path(f"file://{tmp_path}/a%20b") == tmp_path / "a b"
    assert not storage.is_local("s3://bucket/x")
    assert storage.join("s3://bucket/", "a", "b") == "s3://bucket/a/b"
    with pytest.raises(InputError, match="not on this machine"):
        storage.local_path("s3://bucket/x")


class ObjectStoreFile(AbstractBufferedFile):  # type: ignore[misc]  # fsspec has no types
    """An upload in parts, as object stores have it."""

    def _initiate_upload(self) -> None:
        self.parts: list[bytes] = []

    def _upload_chunk(self, final: bool = False) -> bool:
        self.parts.append(self.buffer.getvalue())
        if final:
            ObjectStore.objects[self.path] = b"".join(self.parts)
        return True

    def discard(self) -> None:
        ObjectStore.discarded.append(self.path)


class ObjectStore(fsspec.AbstractFileSystem):  # type: ignore[misc]
    """An object store with the one property that matters here: an object appears when its upload is complete."""

    protocol = "oss"
    objects: ClassVar[dict[str, bytes]] = {}
    discarded: ClassVar[list[str]] = []

    def _open(self, path: str, mode: str = "rb", block_size: int = 5, **kwargs: Any) -> ObjectStoreFile:
        return ObjectStoreFile(self, path, mode, block_size=block_size)


def test_object_stores_are_written_under_the_final_name() -> None:
    """Where an upload appears whole, there is no temporary object, and a failed upload is given up for good."""
    fsspec.register_implementation("oss", ObjectStore, clobber=True)
    with storage.atomic_output("oss://bucket/x") as sink:
        sink.write(b"hello ")
        sink.write(b"world")
    assert ObjectStore.objects == {"bucket/x": b"hello world"}
    with pytest.raises(ValueError, match="broken"), storage.atomic_output("oss://bucket/y") as sink:  # noqa: PT012
        sink.write(b"hello world")
        raise ValueError("broken")
    sink.close()
    assert list(ObjectStore.objects) == ["bucket/x"]
    assert ObjectStore.discarded == ["bucket/y"]


def test_what_is_not_a_file_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pipes and sockets in a folder or a glob are left out; one that is named outright is refused, and not opened."""
    os.mkfifo(tmp_path / "a.jsonl")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(tmp_path)  # the path of a socket must be short
        listener.bind("b.jsonl")
        (tmp_path / "c.jsonl").write_bytes(b"x")
        for where in (tmp_path, tmp_path / "*.jsonl", tmp_path / "**" / "*.jsonl", tmp_path.parent / "*"):
            found = storage.list_files(where, [".jsonl"])
            assert [info.path for info in found if info.path.startswith(str(tmp_path))] == [str(tmp_path / "c.jsonl")]
    with pytest.raises(InputError, match="is not a file but a pipe"):
        storage.list_files(tmp_path / "a.jsonl")


def test_links_that_go_round_give_each_file_once(tmp_path: Path) -> None:
    """Links to a folder above, two of them too, and links to themselves end no search and double no file."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.jsonl").write_bytes(b"x")
    (tmp_path / "deep" / "up").symlink_to("..")
    (tmp_path / "deep" / "up2").symlink_to("../../" + tmp_path.name)
    (tmp_path / "self").symlink_to("self")
    for where in (tmp_path, tmp_path / "**" / "*.jsonl", tmp_path / "**"):
        assert [info.name for info in storage.list_files(where, [".jsonl"])] == ["deep/a.jsonl"]
    for where in (tmp_path / "deep", tmp_path / "deep" / "**" / "*.jsonl"):
        assert [info.name for info in storage.list_files(where, [".jsonl"])] == ["a.jsonl"]


def test_a_folder_of_many_paths_is_searched_once(tmp_path: Path) -> None:
    """Links side by side double no file, and their paths, of which there are 2^40, are not all tried."""
    for level in range(40):
        (tmp_path / f"{level:02}").mkdir()
        for name in ("left", "right"):
            (tmp_path / f"{level:02}" / name).symlink_to(f"../{level + 1:02}")
    (tmp_path / "40").mkdir()
    (tmp_path / "20" / "a.jsonl").write_bytes(b"x")
    (tmp_path / "latest").symlink_to("20")
    assert [info.name for info in storage.list_files(tmp_path)] == ["20/a.jsonl"]
    assert [info.name for info in storage.list_files(tmp_path / "00")] == ["/".join(["left"] * 20 + ["a.jsonl"])]
    for level in range(40):
        for name in ("left", "right"):
            (tmp_path / f"{level:02}" / name).unlink()
    assert [info.name for info in storage.list_files(tmp_path / "**" / "latest" / "*")] == ["latest/a.jsonl"]


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(st.sampled_from(["a", "b.txt", "c1.txt", ".h", "x y", "[z]", "d"]), min_size=1, max_size=4).map(
        "/".join
    )
    | st.just("a/b.txt"),
    pattern=st.lists(st.sampled_from(["**", "*", "a", "?.txt", "*.txt", "[bc]*", "d", ".*"]), min_size=1, max_size=3),
)
def test_deep_globs_match_as_python_has_it(tmp_path_factory: Any, names: str, pattern: list[str]) -> None:
    """Without links a glob with `**` finds the files that Python's own finds."""
    folder = tmp_path_factory.mktemp("glob")
    for place in (names, "a/b.txt", "d/a/c1.txt"):
        file = folder / place
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"")
    where = str(folder / "**" / "/".join(pattern))
    wanted = {path for path in glob.glob(where, recursive=True) if path[-1] != "/" and Path(path).is_file()}  # noqa: PTH207 - its rules
    try:
        found = {info.path for info in storage.list_files(where, ignore=())}
    except InputError:
        found = set()
    assert found == wanted
