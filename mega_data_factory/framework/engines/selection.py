"""The engine of a plan: whether it can run it here, and how it is built."""

from __future__ import annotations

import sys

from mega_data_factory.errors import ConfigError
from mega_data_factory.framework.commit.output import OutputFolder
from mega_data_factory.framework.config.pipeline import ExecutorConfig
from mega_data_factory.framework.contracts import Loader
from mega_data_factory.framework.driver.resources import check_fit, this_machine
from mega_data_factory.framework.engines.engine import Engine, RunSettings
from mega_data_factory.framework.engines.local.processes.forking import withdraw
from mega_data_factory.framework.engines.ray.environment import cluster_address, prepare_ray
from mega_data_factory.framework.metrics import NodeBuffer
from mega_data_factory.framework.plan import Plan
from mega_data_factory.framework.worker.stage import StageSettings


def check_engine(plan: Plan, loader: Loader | None) -> None:
    """Check that the engine can run the plan.

    Raises:
        ConfigError: it cannot read what the plan reads.
        ResourceError: the pools do not fit this machine, where the run uses no cluster.
    """
    settings = plan.executor
    if settings.engine == "local" or not _has_cluster(settings):
        check_fit(plan, this_machine())
    reads_ray = plan.loader.name == "ray_dataset_loader"
    if settings.engine != "ray" and (reads_ray or loader is not None):
        raise ConfigError("data_loader: a Ray dataset can only be read with executor.engine: ray")


def build_engine(
    plan: Plan, output: OutputFolder, loader: Loader, lock_fd: int | None, nodes: NodeBuffer | None
) -> Engine:
    """Return the engine that the plan asks for; only that one is imported.

    Args:
        plan: what to run.
        output: where the run writes.
        loader: reads; the Ray engine sends it to its workers when it is not the plan's.
        lock_fd: file descriptor of the run's lock; None if there is no lock.
        nodes: takes samples of the nodes; None when they are not wanted.
    """
    settings = RunSettings(_stage_settings(plan, output.run_id), output, lock_fd, nodes)
    if plan.executor.engine == "ray":
        withdraw()
        prepare_ray(cluster_address(plan.executor.ray_address))
        from mega_data_factory.framework.engines.ray.engine import RayEngine

        return RayEngine(plan, settings, loader)
    from mega_data_factory.framework.engines.local.engine import LocalEngine

    return LocalEngine(plan, settings)


def _stage_settings(plan: Plan, run_id: str) -> StageSettings:
    settings, samples = plan.executor, plan.executor.rejected_samples
    return StageSettings(
        run_id=run_id,
        on_error=settings.on_error,
        measure=settings.metrics.enabled,
        custom_metrics=settings.metrics.collect_custom_metrics,
        text_column=settings.metrics.text_column,
        token_column=settings.metrics.token_column,
        slice_by=settings.metrics.slice_by,
        slices_shown=settings.metrics.max_slices,
        samples_per_reason=samples.samples_per_reason if samples.enabled else 0,
        keep_rejects=samples.keeps_all,
        reject_content=samples.keeps_all and samples.content,
        score_histograms=settings.metrics.score_histograms,
    )


def _has_cluster(settings: ExecutorConfig) -> bool:
    """Return whether the run will use a Ray cluster that is running, so that this machine's size says nothing."""
    ray = sys.modules.get("ray")
    return cluster_address(settings.ray_address) is not None or (ray is not None and ray.is_initialized())
