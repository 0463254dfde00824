"""Two runs never write to one output folder at the same time, unless both append."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mega_data_factory.errors import OutputError
from mega_data_factory.framework.commit.lock import FolderLock


def test_a_second_run_is_refused_and_names_the_first(tmp_path: Path) -> None:
    """While a run has the folder another is refused; afterwards it is free, and nothing is left in it."""
    first, second = (FolderLock(tmp_path / "out", shared=False) for _ in range(2))
    first.acquire()
    with pytest.raises(OutputError, match=r"another run is writing to .*: process [0-9]+ on"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()
    assert list((tmp_path / "out").iterdir()) == []


def test_runs_that_append_share_the_folder(tmp_path: Path) -> None:
    """Appending runs go together, and an overwriting one waits for none of them: it is refused."""
    one, two = (FolderLock(tmp_path, shared=True) for _ in range(2))
    alone = FolderLock(tmp_path, shared=False)
    one.acquire()
    two.acquire()
    one.release()
    with pytest.raises(OutputError):
        alone.acquire()
    two.release()
    alone.acquire()
    alone.release()
    assert list(tmp_path.iterdir()) == []


def test_however_many_try_one_has_it(tmp_path: Path) -> None:
    """Of many at once, again and again, never two have the folder."""
    inside, most, done = 0, 0, 0
    guard = threading.Lock()

    def work() -> None:
        nonlocal inside, most, done
        for _ in range(100):
            lock = FolderLock(tmp_path, shared=False)
            try:
                lock.acquire()
            except OutputError:
                continue
            with guard:
                inside += 1
                most = max(most, inside)
                done += 1
            with guard:
                inside -= 1
            lock.release()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert done > 0


def test_an_object_store_has_no_lock() -> None:
    """Without a folder there is nothing to lock."""
    FolderLock(None, shared=False).acquire()
