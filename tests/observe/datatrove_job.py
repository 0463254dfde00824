"""A script as a user writes it: a pipeline of datatrove with two workers, of which one may die after the work.

python -m tests.observe.datatrove_job FOLDER DEATH [fail]

One worker dies when its task is done, before it is marked as completed, unless the death of this number (from 1; 0:
none) has happened; with `fail` task 2 raises, the first time.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datatrove.data import Document
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.filters.base_filter import BaseFilter

import mega_data_factory as mdf

TASKS = 12


def read(data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
    for i in range(100 + rank):
        yield Document(text="x" * (i % 10), id=f"{rank}/{i}")


class Length(BaseFilter):  # type: ignore[misc]  # datatrove has no types
    """Keeps texts of 3 to 7 letters."""

    name = "Length"

    def filter(self, doc: Document) -> bool | tuple[bool, str]:
        if len(doc.text) < 3:
            return False, "short"
        return (False, "long") if len(doc.text) > 7 else True


def split(data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
    if rank == 2 and "fail" in sys.argv and not Path(sys.argv[1], "failed").exists():
        Path(sys.argv[1], "failed").touch()
        next(data)
        raise ValueError("task 2 does not work")
    for document in data:
        yield Document(text=document.text[:2], id=f"{document.id}/0")
        yield Document(text=document.text[2:], id=f"{document.id}/1")


def write(data: Any, rank: int = 0, world_size: int = 1) -> None:
    for _ in data:
        pass


def _is_first(mark: Path) -> bool:
    """Return whether this process is the one that makes a file: two workers may try at the same moment."""
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


class DyingExecutor(LocalPipelineExecutor):  # type: ignore[misc]
    """An executor of which one worker dies before it marks its task as completed."""

    def mark_rank_as_completed(self, rank: int) -> None:
        if sys.argv[2] != "0" and _is_first(Path(sys.argv[1], "deaths", sys.argv[2])):
            os.kill(os.getpid(), signal.SIGKILL)
        super().mark_rank_as_completed(rank)


def main(folder: Path) -> None:
    (folder / "deaths").mkdir(exist_ok=True)
    with mdf.observe("letters", metrics=folder / "metrics", node_interval=0, flush_interval=0.5) as run:
        executor = DyingExecutor(
            [read, Length(), split, write], tasks=TASKS, workers=2, logging_dir=str(folder / "logs")
        )
        print(run.run_id, flush=True)
        run.pipeline(executor, stage="letters").run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
