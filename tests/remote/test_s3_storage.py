"""Files in S3 are whole or absent, listings are never stale, and what fails is explained."""

from __future__ import annotations

from pathlib import Path

import pytest

from mega_data_factory import storage
from mega_data_factory.errors import InputError, OutputError
from tests.remote.conftest import file_system, forget_connections, names_below

pytestmark = pytest.mark.slow

PART = 5 * 2**20
"""The least size of a part of an S3 upload: more than this is sent before the file ends."""


@pytest.mark.parametrize("size", [0, 10, 3 * PART])
def test_a_file_takes_its_name_when_it_is_whole(bucket: str, size: int) -> None:
    """Nothing is visible while a file is written, in one request or many; afterwards all of it is."""
    uri = f"{bucket}/a/b.bin"
    with storage.atomic_output(uri) as sink:
        sink.write(b"x" * size)
        assert names_below(bucket) == []
    assert names_below(bucket) == ["a/b.bin"]
    assert storage.read_bytes(uri) == b"x" * size
    assert storage.size(uri) == size


@pytest.mark.parametrize("size", [10, 3 * PART])
def test_a_write_that_fails_half_way_leaves_nothing(bucket: str, size: int) -> None:
    """A writer that fails leaves the file that was there before, nothing new, and no upload that goes on costing."""
    uri = f"{bucket}/a/b.bin"
    with storage.atomic_output(uri) as sink:
        sink.write(b"before")
    with pytest.raises(ZeroDivisionError), storage.atomic_output(uri) as sink:  # noqa: PT012 - the block is tested
        sink.write(b"x" * size)
        raise ZeroDivisionError
    assert names_below(bucket) == ["a/b.bin"]
    assert storage.read_bytes(uri) == b"before"
    uploads = file_system("s3").call_s3("list_multipart_uploads", Bucket=bucket.removeprefix("s3://"))
    assert not uploads.get("Uploads")


def test_what_others_write_is_seen_at_once(bucket: str) -> None:
    """A listing, a size and a content are of now, whatever was there when they were asked for last."""
    folder, uri = f"{bucket}/live", f"{bucket}/live/x"
    other = file_system("s3")
    assert storage.list_dir(folder) == []
    for content in (b"1", b"longer", b"2"):
        other.pipe_file(uri.removeprefix("s3://"), content)
        assert storage.list_dir(folder) == ["x"]
        assert storage.exists(uri)
        assert storage.size(uri) == len(content)
        with storage.open_input(uri) as file:
            assert file.read() == content
        assert storage.read_bytes(uri) == content
    other.rm_file(uri.removeprefix("s3://"))
    assert not storage.exists(uri)
    assert storage.list_dir(folder) == []


def test_removing_is_exact(bucket: str) -> None:
    """A file goes alone, a folder with all that is in it and nothing that only begins like it; twice is no error."""
    for name in ("a/1", "a/b/2", "ab/3", "c"):
        with storage.atomic_output(f"{bucket}/{name}") as sink:
            sink.write(b"x")
    for _ in range(2):
        storage.remove_tree(f"{bucket}/a")
        storage.remove(f"{bucket}/c")
    assert names_below(bucket) == ["ab/3"]


def test_failures_name_the_place(bucket: str) -> None:
    """A bucket that is not there, and a key that is not there, are errors of ours that name it."""
    uri = "s3://no-such-bucket-of-ours/x"
    with pytest.raises(OutputError, match=uri), storage.atomic_output(uri) as sink:
        sink.write(b"x")
    with pytest.raises(InputError, match="missing"):
        storage.read_bytes(f"{bucket}/missing")
    with pytest.raises(InputError, match="missing"), storage.open_input(f"{bucket}/missing") as file:
        file.read()


def test_a_store_that_is_down_is_explained(bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A store that nobody answers for is an error of ours that names the file, not a traceback."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    forget_connections()
    with pytest.raises(OutputError, match=f"cannot write {bucket}/x"), storage.atomic_output(f"{bucket}/x") as sink:
        sink.write(b"x")
    forget_connections()
