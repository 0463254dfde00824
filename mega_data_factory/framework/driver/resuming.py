"""Resume a run that ended early: which one, whether it can be resumed, and what it has done already."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import xxhash

from mega_data_factory import storage
from mega_data_factory.clock import utc_now
from mega_data_factory.errors import ConfigError, MdfError, ResumeError, did_you_mean
from mega_data_factory.framework.batch import CommitRecord
from mega_data_factory.framework.commit.earlier_output import EarlierOutput
from mega_data_factory.framework.commit.lock import RunLock
from mega_data_factory.framework.commit.log import COMMITS, CommitLog, Done, LoggedPlan, done_by_split
from mega_data_factory.framework.commit.output import OutputFolder
from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.framework.metrics.run_ids import match_run
from mega_data_factory.framework.plan import Plan
from mega_data_factory.framework.registry import Component


def find_run(plan: Plan, wanted: str) -> str:
    """Return the id of the run to resume.

    Args:
        plan: whose output folder holds the run.
        wanted: its id, the beginning of it where only one run has that, or `latest`.

    Raises:
        ResumeError: there is no such run that can be resumed, or there are several.
    """
    output = storage.absolute(plan.writer_options.output_path)
    runs = {
        name: logged.started
        for name in storage.list_dir(storage.join(output, COMMITS))
        if (logged := CommitLog.of(output, name).plan()) is not None
    }
    oldest_first = sorted(runs, key=lambda name: (runs[name], name))
    if (found := match_run(wanted, oldest_first, ResumeError)) is not None:
        return found
    raise _unknown(plan, wanted, output, runs)


def _unknown(plan: Plan, wanted: str, output: str, runs: Mapping[str, str]) -> ResumeError:
    if wanted == "latest":
        return ResumeError(f"no run below {output} can be resumed", hint="none was interrupted; leave out --resume")
    row = _row_of(plan, wanted)
    if row.get("status") == "completed":
        return ResumeError(f"{row['run_id']} has completed: there is nothing left to do")
    return ResumeError(f"no run {wanted} below {output} can be resumed", hint=did_you_mean(wanted, runs))


def fingerprint(plan: Plan, run_id: str) -> dict[str, str]:
    """Return a digest of every setting that decides what a batch is and what becomes of it, by dotted key.

    Digests, since parameters may be secret; salted with the run's name. Settings that only say how the work is done
    (workers, resources, sizes of files, the engine) are not in it.
    """
    settings = plan.executor
    values: dict[str, Any] = {
        **_component("data_loader", plan.loader),
        **_component("data_writer", plan.writer, params=False),
        "stages": [stage.name for stage in plan.stages],
        "executor.batch_size": settings.batch_size,
        "executor.max_samples": settings.max_samples,
        "executor.metrics.enabled": settings.metrics.enabled,
        "executor.metrics.collect_custom_metrics": settings.metrics.collect_custom_metrics,
        "executor.rejected_samples.enabled": settings.rejected_samples.enabled,
        "executor.rejected_samples.samples_per_reason": settings.rejected_samples.samples_per_reason,
        "executor.dedup_num_buckets": settings.dedup_num_buckets if plan.needs_claims else None,
    }
    for stage in plan.stages:
        values[f"stages.{stage.name}.operators"] = [operator.name for operator in stage.operators]
        for operator in stage.operators:
            key = f"stages.{stage.name}.operators.{operator.name}"
            values |= _component(key, operator.component)
            if operator.when is not None:
                values[f"{key}.when"] = operator.when.text
    return {key: _digest(run_id, value) for key, value in values.items()}


def _component(key: str, component: Component, *, params: bool = True) -> dict[str, Any]:
    values = {f"{key}.params.{name}": value for name, value in component.params.items()} if params else {}
    return {f"{key}.type": component.target, **values}


def _digest(salt: str, value: Any) -> str:
    return xxhash.xxh3_64_hexdigest(f"{salt}\n{json.dumps(value, sort_keys=True, default=str)}".encode())


@dataclass(frozen=True)
class Life:
    """One session of a run: its first, or one that continues where the previous one ended.

    Attributes:
        output: where it writes.
        lock: held while it lives.
        committed: what earlier lives have committed.
        names: of the files that hold it.
        began: when the first life began, naive UTC.
        seconds: how long earlier sessions ran, according to their metrics.
        earlier: the output of earlier runs, which this one replaces when it is complete.
        over: the run had completed before: nothing is left to do but the end of its clean-up.
    """

    output: OutputFolder
    lock: RunLock
    began: datetime
    committed: tuple[CommitRecord, ...] = ()
    names: frozenset[str] = frozenset()
    seconds: float = 0.0
    earlier: EarlierOutput = field(default_factory=EarlierOutput)
    over: bool = False

    @classmethod
    def first(cls, plan: Plan, output: OutputFolder) -> Life:
        """Begin a run.

        Raises:
            ConfigError: the run would replace what it reads.
            ResumeError: a run of this name is still running.
            OutputError: the output cannot be written.
        """
        earlier = _to_replace(plan, output)
        lock = _lock(output)
        lock.acquire()
        began = utc_now()
        output.forget_claims()  # of an earlier run of the same name
        output.log.start(
            LoggedPlan(began.isoformat(), fingerprint(plan, output.run_id), replaces=earlier.to_json()),
        )
        return cls(replace(output, holds_back=bool(earlier.data)), lock, began, earlier=earlier)

    @classmethod
    def next(cls, plan: Plan, output: OutputFolder) -> Life:
        """Resume a run: wait for what is left of its last session, and remove what that did not commit.

        Raises:
            ResumeError: it is still running, or not the run that the plan describes.
            OutputError: the output cannot be written.
        """
        lock = _lock(output)
        lock.acquire()
        try:
            logged = _checked(plan, output)
            began = datetime.fromisoformat(logged.started)
            if logged.completed:
                return cls(output, lock, began, over=True)
            row = _row_of(plan, output.run_id)
            if not lock.is_certain and row.get("status") == "running":
                raise _perhaps_alive(output.run_id)
            output = replace(output, session=logged.session + 1)
            groups = list(output.log.groups())
            if groups and plan.needs_claims and not storage.list_dir(output.state):
                raise ResumeError(
                    f"{output.run_id} deduplicates, and its deduplication logs are missing: {output.state}"
                )
            earlier = EarlierOutput.from_json(logged.replaces) if groups else _to_replace(plan, output)
            output = replace(output, holds_back=bool(earlier.data))
            if output.holds_back:
                _refuse_newcomers(output, earlier)
            output.log.start(replace(logged, session=output.session, replaces=earlier.to_json()))
            names = frozenset(group.name for group in groups)
            output.tidy(names)
            output.remove_staged()
        except BaseException:
            lock.release()
            raise
        records = tuple(record for group in groups for record in group.records)
        return cls(output, lock, began, records, names, float(row.get("duration") or 0.0), earlier)

    @property
    def done(self) -> dict[int, Done]:
        """Committed work by number of the split."""
        return done_by_split(self.committed)

    def tidy(self) -> None:
        """Remove the files of this run that no life has committed."""
        self.output.tidy(self.names | self.output.log.names(self.output.session))

    def replace_earlier(self) -> None:
        """Put the output of the run, which is whole, in the place of that of earlier runs.

        Raises:
            OutputError: a file cannot be moved or removed.
        """
        self.output.replace_earlier(self.earlier)

    def end(self, *, completed: bool) -> None:
        """Give the lock back; of a run that is complete nothing stays but what it was made for."""
        try:
            if completed:
                self.output.forget()
        finally:
            self.lock.release()


def _to_replace(plan: Plan, output: OutputFolder) -> EarlierOutput:
    """Return the output that the run replaces.

    Raises:
        ConfigError: some of it is its source.
    """
    if plan.writer_options.if_exists != "overwrite":
        return EarlierOutput()
    earlier, loader = output.earlier(), plan.loader.build()
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
    newcomers = sorted(set(output.earlier().data) - set(earlier.data))
    if newcomers:
        raise ResumeError(
            f"{output.run_id} replaces the output in {output.path}, and since it began other runs have written there: "
            f"{newcomers[0]}" + (f" and {len(newcomers) - 1} more" if newcomers[1:] else ""),
            hint="move their files elsewhere, then resume it; or start a new run with if_exists: overwrite",
        )


def refuse_second_start(output: OutputFolder) -> None:
    """Refuse to start a run whose name belongs to one that is running or can be resumed.

    Raises:
        ResumeError: there is one.
    """
    plan = output.log.plan()
    if plan is not None and plan.completed:  # killed while it cleaned up
        output.forget()
    elif plan is not None:
        raise ResumeError(
            f"{output.run_id} has been started before, and has not completed",
            hint=f"resume it (--resume {output.run_id}), or give this run another id",
        )


def check_resumable(plan: Plan, run_id: str) -> None:
    """Refuse to resume a run that the configuration does not describe, or whose state is lost.

    Raises:
        ResumeError: says what differs.
    """
    _checked(plan, OutputFolder.of(plan, run_id))


def _checked(plan: Plan, output: OutputFolder) -> LoggedPlan:
    logged = output.log.plan()
    if logged is None:
        raise ResumeError(f"{output.run_id} has completed in the meantime: there is nothing left to do")
    if logged.completed:
        return logged
    now = fingerprint(plan, output.run_id)
    if differing := sorted(_differing(logged.fingerprint, now)):
        raise ResumeError(
            f"{output.run_id} was started with other settings: {', '.join(differing)}",
            hint="resume it with the configuration that it was started with; workers and file sizes may change",
        )
    if plan.loader.name == "ray_dataset_loader":
        raise ResumeError(
            "a run over a Ray dataset cannot be resumed: its blocks may be cut otherwise in another process",
            hint="write the dataset to Parquet first, and read that",
        )
    return logged


def _row_of(plan: Plan, run_id: str) -> dict[str, Any]:
    try:
        return MetricsReader(plan.executor.metrics.output_path).run(run_id)
    except MdfError:  # it died before it wrote metrics, or they are off or elsewhere: then nothing is known
        return {}


def _perhaps_alive(run_id: str) -> ResumeError:
    return ResumeError(
        f"{run_id} is running, or was a moment ago: its metrics say `running`",
        hint="without a lock a driver counts as dead when its heartbeat is overdue; try again in a minute",
    )


def _differing(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    return (key for key in before.keys() | now.keys() if before.get(key) != now.get(key))


def _lock(output: OutputFolder) -> RunLock:
    folder = storage.local_path(output.log.path) if storage.is_local(output.log.path) else None
    return RunLock(folder, output.run_id)
