"""Commit log of a run, on disk beside the output: the point from which an ended run is resumed.

```
{output}/_commits/{run_id}/plan.json                    what the run does, as digests, and how often it was resumed
{output}/_commits/{run_id}/{file}.{session}.jsonl       the batches of one output file: a commit record on each line
{output}/_commits/{run_id}/lock                         held while the driver or one of its writers lives
```

The writer of an output file writes its entry next, whole or not at all. A file without an entry is not committed, and
is removed when the run is resumed. When the run has completed, `plan.json` says so before anything is removed, and is
removed last.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from mega_data_factory import storage
from mega_data_factory.errors import InputError
from mega_data_factory.framework.batch import CommitRecord
from mega_data_factory.framework.commit.earlier_output import PENDING
from mega_data_factory.framework.commit.log_entries import CommittedGroup, parent_of, raise_unless_missing, read_entry
from mega_data_factory.framework.metrics.details.totals import DetailTotals
from mega_data_factory.redaction.loggers import logger

COMMITS = "_commits"
"""Folder of all commit logs, below the output folder."""

_PLAN = "plan.json"
_ENTRY = ".jsonl"

log = logger("mega_data_factory")


@dataclass(frozen=True)
class LoggedPlan:
    """Plan of a run, as far as another process needs it to resume the run.

    Attributes:
        started: when the run started, naive UTC, ISO 8601.
        fingerprint: digest of every setting that decides what a batch is and what becomes of it, by dotted key.
        session: 0 while the run has never been resumed; one more each time.
        replaces: names of the output that the run replaces when it is complete, see `EarlierOutput`.
        completed: whether the run has completed, so that nothing but the removal of its log is left to do.
    """

    started: str
    fingerprint: Mapping[str, str]
    session: int = 0
    replaces: Mapping[str, Sequence[str]] = field(default_factory=dict)
    completed: bool = False


@dataclass(frozen=True)
class LogContents:
    """Entries of a commit log.

    Attributes:
        groups: the groups that count.
        damaged: paths of the other entries: damaged, or of batches that a later session has committed again.
    """

    groups: tuple[CommittedGroup, ...] = ()
    damaged: tuple[str, ...] = ()

    @property
    def records(self) -> tuple[CommitRecord, ...]:
        """Commit record of every committed batch."""
        return tuple(record for group in self.groups for record in group.records)


@dataclass(frozen=True)
class CommitLog:
    """The commit log of one run.

    Attributes:
        path: its folder.
        rejects_path: folder of the run's reject ledger; None if it is not known, or none is kept.
    """

    path: str
    rejects_path: str | None = None

    @classmethod
    def for_run(cls, output_path: str, run_id: str, rejects_path: str | None = None) -> CommitLog:
        """Return the log of a run that writes below `output_path`."""
        return cls(storage.join(output_path, COMMITS, run_id), rejects_path)

    def start(self, plan: LoggedPlan) -> None:
        """Write the plan of the run, before its first commit or when it is resumed.

        Raises:
            OutputError: the output cannot be written.
        """
        with storage.atomic_output(storage.join(self.path, _PLAN)) as sink:
            sink.write(json.dumps(asdict(plan), indent=1).encode())

    def plan(self) -> LoggedPlan | None:
        """Return the plan of the run; None if there is no log, or a damaged one."""
        try:
            return LoggedPlan(**json.loads(storage.read_bytes(storage.join(self.path, _PLAN))))
        except InputError as error:
            raise_unless_missing(error)
            return None
        except (ValueError, TypeError):  # no JSON, or of another version
            return None

    def append(self, name: str, session: int, records: Sequence[CommitRecord]) -> None:
        """Commit the batches of a file. The same call again changes nothing.

        Raises:
            OutputError: the output cannot be written.
        """
        lines = (json.dumps(_without_contents(record).to_json(), separators=(",", ":")) for record in records)
        with storage.atomic_output(storage.join(self.path, f"{name}.{session}{_ENTRY}")) as sink:
            sink.write("".join(f"{line}\n" for line in lines).encode())

    def names(self, session: int) -> set[str]:
        """Return the names of all files that this session has committed."""
        return {name for name, of, _ in self._entries() if of == session}

    def read(self) -> LogContents:
        """Read all committed groups, each batch once.

        A driver that was taken for dead may have committed batches that a later one has processed again: then the later
        one's count. An entry that cannot be read, or whose output file is missing, does not count either: its batches
        will be processed again. Nothing is removed, see `remove_damaged`.

        Details are added up while reading, since those of all batches would fill the memory: the first record has the
        sum, as details of its commit.

        Raises:
            InputError: an entry cannot be read for another reason than that it is damaged.
            ResumeError: rejected records are in another folder than that of the run's ledger.
        """
        seen: set[str] = set()
        groups: list[CommittedGroup] = []
        damaged: list[str] = []
        details = DetailTotals()
        for name, session, file in sorted(self._entries(), key=lambda entry: (-entry[1], entry[0])):
            path = storage.join(self.path, file)
            group = read_entry(path, name, session, self._folders)
            if group is None:
                log.warning("%s is damaged or incomplete; its batches will be processed again", path)
            elif seen.isdisjoint(ids := {record.batch.id for record in group.records}):
                seen |= ids
                for record in group.records:
                    details.add((*record.batch.details, *record.details))
                groups.append(replace(group, records=tuple(_without_details(record) for record in group.records)))
                continue
            damaged.append(path)
        if groups:
            first, *others = groups[0].records
            groups[0] = replace(groups[0], records=(replace(first, details=details.details()), *others))
        return LogContents(tuple(groups), tuple(damaged))

    def remove_damaged(self, contents: LogContents) -> None:
        """Remove the entries that do not count.

        Raises:
            OutputError: one cannot be removed.
        """
        storage.remove_all(contents.damaged)

    @property
    def _folders(self) -> tuple[str, ...]:
        """Where output files are now, wherever the output folder was when they were committed: it may have moved."""
        output = parent_of(parent_of(self.path))
        folders = output, storage.join(output, PENDING, self.path.rpartition("/")[2])
        return folders if self.rejects_path is None else (*folders, self.rejects_path)

    def _entries(self) -> Iterator[tuple[str, int, str]]:
        """Yield name, session and file name of every entry."""
        for file in storage.list_dir(self.path):
            name, _, session = file.removesuffix(_ENTRY).rpartition(".")
            if file.endswith(_ENTRY) and not file.startswith(".") and session.isdigit():
                yield name, int(session), file

    def complete(self) -> None:
        """Note that the run has completed, before anything that a resumed run needs is removed.

        Raises:
            OutputError: the output cannot be written.
        """
        plan = self.plan()
        if plan is not None and not plan.completed:
            self.start(replace(plan, completed=True))

    def remove(self) -> None:
        """Remove the log of a completed run: the note that it has completed goes last.

        Raises:
            OutputError: it may not be removed.
        """
        storage.remove_all(storage.join(self.path, name) for name in storage.list_dir(self.path) if name != _PLAN)
        storage.remove(storage.join(self.path, _PLAN))
        remove_if_empty(self.path)
        remove_if_empty(parent_of(self.path))


def remove_if_empty(folder: str) -> None:
    """Remove a local folder that holds nothing; on an object store there are no such folders."""
    if storage.is_local(folder):
        with contextlib.suppress(OSError):  # it is not empty, or already removed
            storage.local_path(folder).rmdir()


def _without_contents(record: CommitRecord) -> CommitRecord:
    """Drop the contents of records that the sinks hold already; samples of rejected ones are written at the end."""
    exclusions = tuple(e if e.kind == "rejected" else replace(e, content="") for e in record.batch.exclusions)
    return replace(record, batch=replace(record.batch, exclusions=exclusions))


def _without_details(record: CommitRecord) -> CommitRecord:
    return replace(record, batch=replace(record.batch, details=()), details=())
