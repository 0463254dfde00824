"""One session of a run: what it finds, holds and writes, from its start to its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from mega_data_factory import storage
from mega_data_factory.clock import utc_now
from mega_data_factory.errors import ConfigError, ResumeError
from mega_data_factory.framework.batch import CommitRecord
from mega_data_factory.framework.commit.committed_splits import CommittedSplit, commits_by_split
from mega_data_factory.framework.commit.earlier_output import EarlierOutput
from mega_data_factory.framework.commit.lock import RunLock
from mega_data_factory.framework.commit.log import LogContents, LoggedPlan
from mega_data_factory.framework.commit.output import OutputFolder
from mega_data_factory.framework.driver.resuming import checked_plan, fingerprint, run_row
from mega_data_factory.framework.plan import Plan


@dataclass(frozen=True)
class RunSession:
    """One session of a run: its first, or one that continues where the previous one ended.

    Attributes:
        output: where it writes.
        lock: the lock on the run, held until the session ends.
        began: when the run was started first, naive UTC.
        committed: what earlier sessions have committed.
        file_names: names of the files that hold it.
        seconds: how long earlier sessions ran, according to their metrics.
        earlier: the output of earlier runs, which this one replaces when it is complete.
        had_completed: whether the run had completed before: only the end of its clean-up is left to do.
    """

    output: OutputFolder
    lock: RunLock
    began: datetime
    committed: tuple[CommitRecord, ...] = ()
    file_names: frozenset[str] = frozenset()
    seconds: float = 0.0
    earlier: EarlierOutput = field(default_factory=EarlierOutput)
    had_completed: bool = False

    @classmethod
    def first(cls, plan: Plan, output: OutputFolder) -> RunSession:
        """Start a run: take its lock and write its plan to the commit log.

        Raises:
            ConfigError: the run would replace what it reads.
            ResumeError: a run of this name is still running.
            OutputError: the output cannot be written.
        """
        earlier = _output_to_replace(plan, output)
        with _locked(output) as lock:
            began = utc_now()
            output.remove_claims()  # of an earlier run of the same name
            output.log.start(
                LoggedPlan(began.isoformat(), fingerprint(plan, output.run_id), replaces=earlier.to_json()),
            )
            return cls(replace(output, holds_back=bool(earlier.data)), lock, began, earlier=earlier)

    @classmethod
    def next(cls, plan: Plan, output: OutputFolder) -> RunSession:
        """Resume a run: wait for the processes of its last session, and remove what that did not commit.

        Raises:
            ResumeError: it is still running, or not the run that the plan describes.
            OutputError: the output cannot be written.
        """
        with _locked(output) as lock:
            logged = checked_plan(plan, output)
            began = datetime.fromisoformat(logged.started)
            if logged.completed:
                return cls(output, lock, began, had_completed=True)
            row = run_row(plan, output.run_id)
            if not lock.is_certain and row.get("status") == "running":
                raise _perhaps_running(output.run_id)
            contents = output.log.read()
            _check_claims(plan, output, contents)
            earlier = EarlierOutput.from_json(logged.replaces) if contents.groups else _output_to_replace(plan, output)
            output = replace(output, session=logged.session + 1, holds_back=bool(earlier.data))
            if output.holds_back:
                _refuse_newcomers(output, earlier)
            output.log.remove_damaged(contents)
            output.log.start(replace(logged, session=output.session, replaces=earlier.to_json()))
            names = frozenset(group.name for group in contents.groups)
            output.remove_uncommitted(names)
            output.remove_staged()
            return cls(output, lock, began, contents.records, names, float(row.get("duration") or 0.0), earlier)

    @property
    def committed_splits(self) -> dict[int, CommittedSplit]:
        """Committed work by number of the split."""
        return commits_by_split(self.committed)

    def remove_uncommitted(self) -> None:
        """Remove the files of this run that no session has committed."""
        self.output.remove_uncommitted(self.file_names | self.output.log.names(self.output.session))

    def replace_earlier(self) -> None:
        """Put the output of the run, which is whole, in the place of that of earlier runs.

        Raises:
            OutputError: a file cannot be moved or removed.
        """
        self.output.replace_earlier(self.earlier)

    def end(self, *, completed: bool) -> None:
        """Release the lock.

        Args:
            completed: whether the run is complete: then everything that a resumed run would need is removed.
        """
        try:
            if completed:
                self.output.remove_run_state()
        finally:
            self.lock.release()


def _output_to_replace(plan: Plan, output: OutputFolder) -> EarlierOutput:
    """Return the output that the run replaces.

    Raises:
        ConfigError: some of it is its source.
    """
    if plan.writer_options.if_exists != "overwrite":
        return EarlierOutput()
    earlier, loader = output.list_earlier(), plan.loader.build()
    for name in earlier.data:
        if loader.reads(storage.join(output.path, name)):
            raise ConfigError(
                f"data_writer.params.output_path: the run would replace {name} in {output.path}, which it reads",
                hint="write to another folder, or move the source elsewhere",
            )
    return earlier


def _refuse_newcomers(output: OutputFolder, earlier: EarlierOutput) -> None:
    """Refuse to replace output that came after the run had begun: it would be removed, or lie beside the run's own.

    Raises:
        ResumeError: there is some.
    """
    newcomers = sorted(set(output.list_earlier().data) - set(earlier.data))
    if newcomers:
        raise ResumeError(
            f"{output.run_id} replaces the output in {output.path}, and since it began other runs have written there: "
            f"{newcomers[0]}" + (f" and {len(newcomers) - 1} more" if newcomers[1:] else ""),
            hint="move their files elsewhere, then resume it; or start a new run with if_exists: overwrite",
        )


@contextmanager
def _locked(output: OutputFolder) -> Iterator[RunLock]:
    """Take the lock on a run; release it only where the block raises.

    Raises:
        ResumeError: the run is still running.
        OutputError: the folder of the lock cannot be made.
    """
    folder = storage.local_path(output.log.path) if storage.is_local(output.log.path) else None
    lock = RunLock(folder, output.run_id)
    lock.acquire()
    try:
        yield lock
    except BaseException:
        lock.release()
        raise


def _check_claims(plan: Plan, output: OutputFolder, contents: LogContents) -> None:
    """Refuse to resume a run that deduplicates if the claims of its committed records are missing.

    Raises:
        ResumeError: they are missing.
    """
    if contents.groups and plan.needs_claims and not storage.list_dir(output.state):
        raise ResumeError(f"{output.run_id} deduplicates, and its deduplication logs are missing: {output.state}")


def _perhaps_running(run_id: str) -> ResumeError:
    return ResumeError(
        f"{run_id} is running, or was a moment ago: its metrics say `running`",
        hint="without a lock a driver counts as dead when its heartbeat is overdue; try again in a minute",
    )
