"""Splits of the source, as the driver lists them: how many and how large, and which are left to read."""

from __future__ import annotations

import itertools
import threading
from array import array
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import replace

from mega_data_factory.errors import InputError, ResumeError
from mega_data_factory.framework.commit.committed_splits import CommittedSplit
from mega_data_factory.framework.contracts import Loader, Split
from mega_data_factory.framework.worker.reading import ReadTask, split_digest


class SourceSize:
    """Size of the source, as far as its splits are listed. Any thread may read while one adds.

    Attributes:
        splits: splits listed.
        complete: whether these are all.
        num_bytes: bytes of each split; empty once one is listed of which that is not known.
        total_bytes: their sum.
    """

    def __init__(self) -> None:
        self.splits = 0
        self.complete = False
        self.num_bytes = array("q")
        self.total_bytes = 0
        self._records = self._with_records = 0

    def add(self, split: Split) -> None:
        """Add a split."""
        if len(self.num_bytes) == self.splits and split.num_bytes is not None:
            self.num_bytes.append(split.num_bytes)
            self.total_bytes += split.num_bytes
        else:
            self.num_bytes, self.total_bytes = array("q"), 0
        if split.num_records is not None:
            self._records += split.num_records if split.limit is None else min(split.num_records, split.limit)
            self._with_records += 1
        self.splits += 1

    @property
    def records(self) -> int | None:
        """Records of the source; None if that is not known without reading it."""
        return self._records if self.complete and self._with_records == self.splits else None

    @property
    def unit(self) -> str:
        """What the size is known in: `records`, `bytes` or `splits`."""
        return "records" if self._with_records == self.splits else "bytes" if self.total_bytes else "splits"


class SplitList:
    """Lists the splits that are left to read.

    Args:
        loader: lists them.
        batch_size: records of a batch.
        max_samples: number of records to read, the first of the source; all if None.
        done: what is committed already, by number of the split.

    Attributes:
        size: what is known of the source so far, splits that are wholly committed included.
    """

    def __init__(
        self, loader: Loader, batch_size: int, max_samples: int | None, done: Mapping[int, CommittedSplit] | None = None
    ) -> None:
        self.size = SourceSize()
        self._loader = loader
        self._batch_size = batch_size
        self._max_samples = max_samples
        self._done = done or {}

    def __iter__(self) -> Iterator[ReadTask]:
        """Yield the splits that are not wholly committed.

        Raises:
            InputError: the source cannot be listed.
            ResumeError: the source is not what it was when the run was started.
        """
        for index, split in enumerate(self._planned()):
            self.size.add(split)
            done = self._done.get(index)
            if done is None:
                yield ReadTask(index, split)
                continue
            if done.source != split_digest(split):
                raise _changed(f"split {index}, {dict(split.params)}, is not what it was")
            if not done.whole:
                yield _rest(index, split, done)
        self.size.complete = True
        if missing := [index for index in self._done if index >= self.count]:
            raise _changed(f"it has {self.count} splits now, and had more than {max(missing)}")

    @property
    def count(self) -> int:
        """Splits listed so far."""
        return self.size.splits

    def _planned(self) -> Iterator[Split]:
        """Yield the splits that together hold the first `max_samples` records of the source."""
        left = self._max_samples
        for index, split in enumerate(self._loader.splits(self._batch_size)):
            if left is None:
                yield split
                continue
            if left <= 0:
                return
            done = self._done.get(index)
            # The number of records of a fully committed split is known: it need not be read to count them.
            count = min(done.records, left) if done and done.whole else self._loader.count(split, left)
            yield replace(split, limit=left) if count >= left else split
            left -= count


class ListedAhead(Iterator[ReadTask]):
    """Splits that a thread lists while the first are read, so that the size of the source is known early.

    Args:
        tasks: lists them; used by the thread alone from now on. What it raises is raised where the splits end.
        most: splits that wait at most; listing waits then.
    """

    def __init__(self, tasks: Iterator[ReadTask], most: int = 100_000) -> None:
        self._tasks = tasks
        self._most = most
        self._waiting: deque[ReadTask] = deque()
        self._changed = threading.Condition()
        self._ended = self._closed = False
        self._error: BaseException | None = None
        threading.Thread(target=self._list, name="split-listing", daemon=True).start()

    def __next__(self) -> ReadTask:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            if self._waiting:
                task = self._waiting.popleft()
                self._changed.notify_all()
                return task
        if self._error is not None:
            raise self._error
        raise StopIteration

    def close(self) -> None:
        """Stop listing."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _list(self) -> None:
        try:
            for task in self._tasks:
                with self._changed:
                    self._changed.wait_for(lambda: len(self._waiting) < self._most or self._closed)
                    if self._closed:
                        break
                    self._waiting.append(task)
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 - raised again where the splits are used
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def _rest(index: int, split: Split, done: CommittedSplit) -> ReadTask:
    last = None
    if done.expected is not None:
        last = max(number for number in range(done.expected) if number not in done.batches)
    return ReadTask(index, split, tuple(sorted(done.batches)), last)


def _changed(how: str) -> ResumeError:
    return ResumeError(
        f"the source has changed since the run was started: {how}",
        hint="a run can only be resumed over the source that it began with; start a new run for another source",
    )


def with_first_split(splits: SplitList) -> Iterator[ReadTask]:
    """Return an iterator over the splits that has found the first one: a source that has none is refused at once.

    Raises:
        InputError: the source cannot be listed, or lists nothing.
    """
    tasks = iter(splits)
    first = next(tasks, None)
    if first is None and not splits.count:
        raise InputError("data_loader: the source is empty: the loader lists nothing to read", hint="check its params")
    return itertools.chain([] if first is None else [first], tasks)
