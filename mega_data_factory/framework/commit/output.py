"""The output folder: whole files under names that the work alone determines, and the records that did not get there."""

from __future__ import annotations

import fnmatch
import hashlib
import io
import json
import time
from collections.abc import Container, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import pyarrow as pa

from mega_data_factory import storage
from mega_data_factory.errors import MdfError, OutputError
from mega_data_factory.framework.batch import Batch, CommitRecord, Exclusion
from mega_data_factory.framework.commit.earlier_output import PENDING, EarlierOutput
from mega_data_factory.framework.commit.log import COMMITS, CommitLog, remove_if_empty
from mega_data_factory.framework.contracts import RECORD_ID, WRITER_STAGE, OutputFile, Writer
from mega_data_factory.framework.exclusion_text import describe, record_json
from mega_data_factory.framework.plan import Plan
from mega_data_factory.framework.tables import concat
from mega_data_factory.strict_json import finite

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
    """

    path: str
    suffix: str
    errors_path: str
    dead_letter_path: str
    run_id: str
    session: int = 0
    holds_back: bool = False

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
        return CommitLog.for_run(self.path, self.run_id)

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
        for folder in (self.path, self.pending, self.errors_path, self.dead_letter_path):
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

    def write(self, writer: Writer, group: Sequence[tuple[Batch, pa.Table]]) -> list[CommitRecord]:
        """Write a group of batches as one file, and commit them: the entry in the commit log is what counts.

        Writing the same group again writes the same files again: a retry after a kill leaves nothing twice.

        Args:
            writer: encodes.
            group: batches with their tables, ordered by id.

        Returns:
            A commit record for every batch, in the same order.
        """
        started = time.perf_counter()
        name = self._name([batch.id for batch, _ in group])
        try:
            file, written = self._write_data(writer, name, [table for _, table in group]), group
        except MdfError:
            raise
        except Exception:  # noqa: BLE001 - what a writer raises is of a record: it is found and set aside
            written = [_writable(writer, batch, table) for batch, table in group]
            file = self._write_data(writer, name, [table for _, table in written])
        self._write_exclusions(name, [e for batch, _ in written for e in batch.exclusions])
        seconds = (time.perf_counter() - started) / len(group)
        commits = [
            CommitRecord(
                batch.without_table(),
                left.num_rows,
                file if left.num_rows else None,
                seconds,
                table.num_rows - left.num_rows,
            )
            for (_, table), (batch, left) in zip(group, written, strict=True)
        ]
        self.log.append(name, self.session, commits)
        return commits

    def _write_data(self, writer: Writer, name: str, tables: Sequence[pa.Table]) -> OutputFile | None:
        tables = [table for table in tables if table.num_rows]
        if not tables:
            return None
        path = storage.join(self.pending if self.holds_back else self.path, name + self.suffix)
        table = concat(tables)
        with storage.atomic_output(path) as sink:
            writer.write(table, sink)
        return OutputFile(path, table.num_rows, storage.size(path))

    def _write_exclusions(self, name: str, exclusions: Sequence[Exclusion]) -> None:
        for kind, folder in (("error", self.errors_path), ("dead_letter", self.dead_letter_path)):
            mine = [exclusion for exclusion in exclusions if exclusion.kind == kind]
            if mine:
                write_exclusions(storage.join(folder, f"{name}.jsonl"), mine)

    def _name(self, batch_ids: Sequence[str]) -> str:
        return f"part-{batch_ids[0]}-{self._tag}-{_digest(batch_ids)}"

    @property
    def _tag(self) -> str:
        """By which the files of a run are known."""
        return _digest([self.run_id])


def _writable(writer: Writer, batch: Batch, table: pa.Table) -> tuple[Batch, pa.Table]:
    """Split off the records that a writer cannot write, as errors of the batch."""
    bad = list(_unwritable(writer, table, 0))
    if not bad:
        return batch, table
    errors = tuple(
        Exclusion(
            "error",
            table.column(RECORD_ID)[row].as_py(),
            WRITER_STAGE,
            "",
            describe(error),
            content=record_json(table.slice(row, 1)),
        )
        for row, error in bad
    )
    gone = {row for row, _ in bad}
    left = table.take(pa.array([row for row in range(table.num_rows) if row not in gone], pa.int64()))
    return replace(batch, exclusions=batch.exclusions + errors), left


def _unwritable(writer: Writer, table: pa.Table, first: int) -> Iterator[tuple[int, Exception]]:
    """Find the records that a writer cannot write, by halving; each with its number and its error."""
    try:
        if table.num_rows:
            writer.write(table, io.BytesIO())
    except Exception as error:  # noqa: BLE001 - any exception of a writer belongs to its record
        if table.num_rows == 1:
            yield first, error
            return
        half = table.num_rows // 2
        yield from _unwritable(writer, table.slice(0, half), first)
        yield from _unwritable(writer, table.slice(half), first + half)


def write_exclusions(path: str, exclusions: Sequence[Exclusion]) -> None:
    """Write excluded records as JSON lines; the record itself is the object `record`."""
    with storage.atomic_output(path) as sink:
        for exclusion in exclusions:
            line = {key: finite(value) for key, value in asdict(exclusion).items() if value is not None}
            del line["content"]
            line["record"] = _parsed(exclusion.content)
            text = json.dumps(line, ensure_ascii=False, allow_nan=False)
            # UTF-8 cannot hold half a surrogate pair; as `\udxxx`, what Python makes of it, JSON can.
            sink.write(text.encode("utf-8", "backslashreplace") + b"\n")


def _parsed(content: str) -> object:
    try:
        return finite(json.loads(content))
    except (ValueError, RecursionError):
        return content  # what a loader could not read is no JSON, or nested without end


def _stem(name: str) -> str:
    """`part-…` of a file of ours, without its ending."""
    return name.partition(".")[0]


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def _names(folder: str, pattern: str) -> list[str]:
    """Return the names in a folder that match a pattern."""
    return fnmatch.filter(storage.list_dir(folder), pattern)
