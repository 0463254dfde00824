"""The output folder of a run: its places, names of its files, and what is removed when."""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Container, Sequence
from dataclasses import dataclass

from mega_data_factory import storage
from mega_data_factory.errors import OutputError
from mega_data_factory.framework.commit.earlier_output import PENDING, EarlierOutput
from mega_data_factory.framework.commit.log import COMMITS, CommitLog, remove_if_empty
from mega_data_factory.framework.metrics.run_ids import run_tag
from mega_data_factory.framework.plan import Plan

_OURS = "part-*"
_STATE = "_state"


@dataclass(frozen=True)
class OutputFolder:
    """Output folder of a run.

    Attributes:
        path: folder or URI of the data files.
        suffix: ending of the data files.
        errors_path: folder for records that raised.
        dead_letter_path: folder for records that killed their worker.
        run_id: goes into the file names, so that runs that append to one folder never share a name.
        session: 0 in the first session of a run; one more each time that it is resumed.
        holds_back: whether data files wait in `pending` until the run is complete, as they replace those of earlier
            runs.
        rejects_path: folder of this run's reject ledger; None if none is kept.
        measures_columns: whether the columns of the data files are measured.
    """

    path: str
    suffix: str
    errors_path: str
    dead_letter_path: str
    run_id: str
    session: int = 0
    holds_back: bool = False
    rejects_path: str | None = None
    measures_columns: bool = False

    @classmethod
    def from_plan(cls, plan: Plan, run_id: str) -> OutputFolder:
        """Return the output folder of a plan."""
        paths = plan.paths()
        return cls(
            path=paths["output"],
            suffix=plan.writer.build().suffix,
            errors_path=paths["errors"],
            dead_letter_path=paths["dead_letters"],
            run_id=run_id,
            rejects_path=storage.join(paths["rejects"], run_id) if "rejects" in paths else None,
            measures_columns=plan.executor.metrics.enabled and plan.executor.metrics.column_statistics,
        )

    @property
    def staging(self) -> str:
        """Folder in which runs keep tables that wait to be written, where workers share nothing but the output."""
        return storage.join(self.path, "_staging")

    @property
    def staged(self) -> str:
        """This run's part of it."""
        return storage.join(self.staging, self.run_id)

    @property
    def pending(self) -> str:
        """Folder of the data files of a run that holds them back."""
        return storage.join(self.path, PENDING, self.run_id)

    @property
    def log(self) -> CommitLog:
        """Commit log of this run."""
        return CommitLog.for_run(self.path, self.run_id, self.rejects_path)

    @property
    def state(self) -> str:
        """Folder of the other state that a resumed run needs: the logs of deduplication claims."""
        return storage.join(self.path, _STATE, self.run_id)

    def claim_log(self, shard: int) -> str:
        """Return where a shard of deduplication keeps its log."""
        return storage.join(self.state, f"claims-{shard}.log")

    def check(self, if_exists: str) -> None:
        """Refuse to start where output of another run would be mixed with this one's.

        Raises:
            OutputError: the folder holds output already and `if_exists` is `error`.
        """
        found = self._existing() if if_exists == "error" else []
        if found:
            raise OutputError(
                f"{self.path} already holds {len(found)} output files, for example {found[0].rpartition('/')[2]}",
                hint="choose another data_writer.params.output_path, or set if_exists to `overwrite` or `append` "
                f"(--set data_writer.params.if_exists=overwrite){self._or_resume()}",
            )

    def _or_resume(self) -> str:
        """Return the rest of a hint: how to resume the newest run that left its output here and has not completed."""
        names = storage.list_dir(storage.join(self.path, COMMITS))
        logs = {name: CommitLog.for_run(self.path, name).plan() for name in names}
        begun = {name: logged.started for name, logged in logs.items() if logged is not None and not logged.completed}
        if not begun:
            return ""
        newest = max(begun, key=lambda name: begun[name])
        return f"; or resume {newest}, which has not completed (--resume {newest})"

    def list_earlier(self) -> EarlierOutput:
        """List the output of other runs, and what they need to be resumed; files of other origin are not in it.

        Raises:
            InputError: a folder may not be listed.
        """
        data = (*_names(self.path, _OURS + self.suffix), *_names(self.path, "." + _OURS + ".tmp"))
        runs = {name for folder in self._run_folders() for name in storage.list_dir(folder)} - {self.run_id}
        errors, dead_letters = (_names(folder, _OURS) for folder in (self.errors_path, self.dead_letter_path))
        return EarlierOutput(
            self._of_others(data), self._of_others(errors), self._of_others(dead_letters), tuple(sorted(runs))
        )

    def _of_others(self, names: Sequence[str]) -> tuple[str, ...]:
        return tuple(name for name in names if not fnmatch.fnmatch(name, f"*part-*-{self._tag}-*"))

    def replace_earlier(self, earlier: EarlierOutput) -> None:
        """Move the data files that were held back into the output folder, then remove the output that they replace.

        At every moment all files of this run or all files of the earlier ones are whole, in their folder or in
        `pending`: a run that is killed here is resumed, and the same call again does the rest.

        Raises:
            OutputError: a file cannot be moved or removed.
        """
        for name in storage.list_dir(self.pending):
            storage.move(storage.join(self.pending, name), storage.join(self.path, name))
        for folder, names in (
            (self.path, earlier.data),
            (self.errors_path, earlier.errors),
            (self.dead_letter_path, earlier.dead_letters),
        ):
            storage.remove_all(storage.join(folder, name) for name in names)
        for folder in self._run_folders():
            for run_id in earlier.runs:
                storage.remove_tree(storage.join(folder, run_id))
            remove_if_empty(folder)

    def _run_folders(self) -> list[str]:
        """Return the folders that hold something for each run."""
        return [self.staging, *(storage.join(self.path, name) for name in (COMMITS, _STATE, PENDING))]

    def remove_uncommitted(self, committed: Container[str]) -> None:
        """Remove the files of this run that are not committed: half-written, or left by a driver that was killed.

        Args:
            committed: names of the files that stay, without folder and ending.
        """
        ours = f"part-*-{self._tag}-*"
        for folder in filter(
            None, (self.path, self.pending, self.errors_path, self.dead_letter_path, self.rejects_path)
        ):
            for name in storage.list_dir(folder):
                half_written = fnmatch.fnmatch(name, f".{ours}.tmp")
                if half_written or (fnmatch.fnmatch(name, ours) and _stem(name) not in committed):
                    storage.remove(storage.join(folder, name))

    def remove_staged(self) -> None:
        """Remove the tables of this run that wait to be written."""
        storage.remove_tree(self.staged)
        remove_if_empty(self.staging)

    def remove_run_state(self) -> None:
        """Remove what a resumed run would need: the run is complete, and its log says so until all else is removed.

        Raises:
            OutputError: something cannot be removed; the same call again removes the rest.
        """
        self.log.complete()
        self.remove_staged()
        storage.remove_tree(self.pending)
        remove_if_empty(storage.join(self.path, PENDING))
        self.remove_claims()
        self.log.remove()

    def remove_claims(self) -> None:
        """Remove the deduplication state of the run."""
        storage.remove_tree(self.state)
        remove_if_empty(storage.join(self.path, _STATE))

    def _existing(self) -> list[str]:
        folders = ((self.path, _OURS + self.suffix), (self.errors_path, _OURS), (self.dead_letter_path, _OURS))
        return [storage.join(folder, name) for folder, pattern in folders for name in _names(folder, pattern)]

    def file_name(self, batch_ids: Sequence[str]) -> str:
        """Return the name of the file that holds these batches, without folder and ending."""
        return f"part-{batch_ids[0]}-{self._tag}-{_digest(batch_ids)}"

    @property
    def _tag(self) -> str:
        """By which the files of a run are known."""
        return run_tag(self.run_id)


def _stem(name: str) -> str:
    """Return the name of a file without its ending: `part-…`."""
    return name.partition(".")[0]


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def _names(folder: str, pattern: str) -> list[str]:
    """Return the names in a folder that match a pattern."""
    return fnmatch.filter(storage.list_dir(folder), pattern)
