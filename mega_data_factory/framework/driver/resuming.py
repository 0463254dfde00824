"""Runs that can be resumed: which one is meant, and whether the plan describes it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import xxhash

from mega_data_factory import storage
from mega_data_factory.errors import MdfError, ResumeError, did_you_mean
from mega_data_factory.framework.commit.log import COMMITS, CommitLog, LoggedPlan
from mega_data_factory.framework.commit.output import OutputFolder
from mega_data_factory.framework.config.metrics import MetricsConfig
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
        if (logged := CommitLog.for_run(output, name).plan()) is not None
    }
    oldest_first = sorted(runs, key=lambda name: (runs[name], name))
    if (found := match_run(wanted, oldest_first, ResumeError)) is not None:
        return found
    raise _unknown(plan, wanted, output, runs)


def _unknown(plan: Plan, wanted: str, output: str, runs: Mapping[str, str]) -> ResumeError:
    if wanted == "latest":
        return ResumeError(f"no run below {output} can be resumed", hint="none was interrupted; leave out --resume")
    row = run_row(plan, wanted)
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
        "executor.rejected_samples.keep": settings.rejected_samples.keep,
        "executor.rejected_samples.content": settings.rejected_samples.content,
        "executor.dedup_num_buckets": settings.dedup_num_buckets if plan.needs_claims else None,
    }
    if settings.metrics.enabled:
        values |= {f"executor.metrics.{name}": value for name, value in _chosen_measures(settings.metrics)}
    for stage in plan.stages:
        values[f"stages.{stage.name}.operators"] = [operator.name for operator in stage.operators]
        for operator in stage.operators:
            key = f"stages.{stage.name}.operators.{operator.name}"
            values |= _component(key, operator.component)
            if operator.when is not None:
                values[f"{key}.when"] = operator.when.text
    return {key: _digest(run_id, value) for key, value in values.items()}


def _chosen_measures(settings: MetricsConfig) -> Iterator[tuple[str, Any]]:
    """Yield what is measured of batches and files, where it is not the default: logs of before had no such settings."""
    default = MetricsConfig()
    for name in ("text_column", "token_column", "slice_by", "score_histograms", "column_statistics"):
        if (value := getattr(settings, name)) != getattr(default, name):
            yield name, value


def _component(key: str, component: Component, *, params: bool = True) -> dict[str, Any]:
    values = {f"{key}.params.{name}": value for name, value in component.params.items()} if params else {}
    return {f"{key}.type": component.target, **values}


def _digest(salt: str, value: Any) -> str:
    return xxhash.xxh3_64_hexdigest(f"{salt}\n{json.dumps(value, sort_keys=True, default=str)}".encode())


def refuse_second_start(output: OutputFolder) -> None:
    """Refuse to start a run whose name belongs to one that is running or can be resumed.

    Raises:
        ResumeError: there is one.
    """
    plan = output.log.plan()
    if plan is not None and plan.completed:  # killed while it cleaned up
        output.remove_run_state()
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
    checked_plan(plan, OutputFolder.from_plan(plan, run_id))


def checked_plan(plan: Plan, output: OutputFolder) -> LoggedPlan:
    """Return the logged plan of a run that can be resumed, or has completed and left its log.

    Raises:
        ResumeError: the run cannot be resumed; says why.
    """
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


def run_row(plan: Plan, run_id: str) -> dict[str, Any]:
    """Return the run's row of the metrics; empty if there is no such row."""
    try:
        return MetricsReader(plan.executor.metrics.output_path).run(run_id)
    except MdfError:  # it died before it wrote metrics, or they are off or elsewhere: then nothing is known
        return {}


def _differing(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    return (key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
