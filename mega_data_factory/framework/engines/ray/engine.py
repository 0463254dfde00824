"""The Ray engine: Ray Data over batches.

A row of the dataset is one batch: its account and its table as Arrow IPC bytes. Ray Data does scheduling,
back-pressure, elastic pools, spilling, placement and recovery. A retried task makes its row again, and the row carries
its account, so a killed worker or node changes no count. The last stage stages its table beside the output; the driver
gathers staged batches, of which it sees only the accounts, and Ray tasks write them as files of the target size.
"""

from __future__ import annotations

import json
import logging
import signal
import threading
import uuid
import warnings
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import ray
import ray.data
from ray.exceptions import OutOfMemoryError, RayError, WorkerCrashedError

from mega_data_factory.errors import ConfigError, MdfError, WorkerLostError
from mega_data_factory.formats import plural
from mega_data_factory.framework.batch import CommitRecord
from mega_data_factory.framework.contracts import Loader
from mega_data_factory.framework.driver.progress import StageLoad
from mega_data_factory.framework.driver.resources import check_fit, cpu_share, this_machine
from mega_data_factory.framework.engines.commits import CommitLoop, FileGroup
from mega_data_factory.framework.engines.engine import Event, RunSettings, SplitsListed
from mega_data_factory.framework.engines.ray.actors import (
    RESTART_ALWAYS,
    AttemptLedger,
    ClaimShardActor,
    ReadStage,
    StageActor,
    StageJob,
    write_group,
)
from mega_data_factory.framework.engines.ray.cluster import connect, first_line, machines
from mega_data_factory.framework.engines.ray.environment import cluster_address
from mega_data_factory.framework.engines.ray.ray_dataset_loader import RayDatasetLoader
from mega_data_factory.framework.engines.ray.rows import row_error, staged_of
from mega_data_factory.framework.engines.ray.staging import StagingFolder
from mega_data_factory.framework.metrics.nodes.ray_cluster import RayNodes
from mega_data_factory.framework.plan import Plan, StagePlan
from mega_data_factory.framework.worker.reading import ReadTask
from mega_data_factory.redaction.loggers import logger

_FILES_AT_ONCE = 4
"""Files being written at any time; more staged batches wait in the staging folder."""


class RayEngine:
    """Runs a plan on a Ray cluster.

    A cluster that this process is connected to already is used and left running; otherwise the one that
    `executor.ray_address` or RAY_ADDRESS names, or a cluster that is started in this process and ends with the run.

    Args:
        plan: what to run.
        settings: of the run.
        loader: reads; sent to the workers when it is not the plan's.
    """

    def __init__(self, plan: Plan, settings: RunSettings, loader: Loader) -> None:
        self._plan = plan
        self._settings = settings
        self._loader = loader
        self._staging = settings.output.staged
        self._commits = CommitLoop(plan, settings.output, StagingFolder(self._staging), self._start_write)
        self._writing: dict[Any, FileGroup] = {}  # by the reference of the task that writes it
        self._actors: list[Any] = []
        self._connected = False
        start_id = uuid.uuid4().hex[:8]
        self._nodes = None if settings.nodes is None else RayNodes(settings.folders, settings.nodes, start_id)

    # ── the run ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self, splits: Iterator[ReadTask]) -> Generator[Event, None, None]:
        """Move every batch of the splits through the stages; yields what happens, ends when all is committed."""
        self._connect()
        try:
            items = [{"read": json.dumps(task.to_json())} for task in splits]
            yield SplitsListed()
            if not items:
                return
            if self._nodes is not None:
                self._nodes.start()
            with _dataset_options():
                dataset = self._dataset(items)
            blocks: Any = dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)
            for block in blocks:
                for start in range(block.num_rows):
                    yield from self._take_row(block.slice(start, 1))
            self._commits.write_rest()
            while self._writing:
                yield from self._collect_written(wait=True)
        except RayError as error:
            raise WorkerLostError(f"Ray ended the run: {first_line(error)}") from error

    def _take_row(self, row: pa.Table) -> Iterator[Event]:
        if error := row_error(row):
            raise error
        staged = staged_of(row)
        try:
            yield staged
        finally:  # the caller may stop here: then the batch is among those that `salvage` writes
            self._commits.add(staged)
            self._commits.write_overdue()
        yield from self._collect_written(wait=len(self._writing) >= _FILES_AT_ONCE)

    def _start_write(self, group: FileGroup) -> None:
        task = ray.remote(write_group).options(
            num_cpus=0, max_retries=self._plan.executor.max_attempts - 1, scheduling_strategy="SPREAD"
        )
        board = None if self._nodes is None else self._nodes.board
        self._writing[task.remote(self._plan.writer, self._settings.output, group.members(), board)] = group

    def _collect_written(self, *, wait: bool) -> Iterator[CommitRecord]:
        if not self._writing:
            return
        done, _ = ray.wait(list(self._writing), timeout=None if wait else 0)
        for reference in done:
            answer = self._answer_of(reference)
            if "failed" in answer:
                raise MdfError.from_dict(answer["failed"])
            self._commits.written(self._writing.pop(reference), answer["commits"])
        yield from self._commits.report()

    def _answer_of(self, reference: Any) -> Mapping[str, Any]:
        """Return what the task that writes a group has answered.

        Raises:
            WorkerLostError: its workers died again and again.
        """
        try:
            answer: Mapping[str, Any] = ray.get(reference)
        except (WorkerCrashedError, OutOfMemoryError) as error:
            group = self._writing[reference]
            self._commits.give_up(group)
            raise WorkerLostError(
                f"data_writer: {plural(self._plan.executor.max_attempts, 'worker')} died over the same work "
                f"({first_line(error)}); {group.describe()}",
                hint="look at the records it names; executor.max_attempts allows more deaths",
            ) from error
        return answer

    def loads(self) -> Mapping[str, StageLoad]:
        """Return nothing: Ray Data moves the batches, and asking it costs a call to the cluster."""
        return {}

    def salvage(self) -> Iterator[CommitRecord]:
        """Write what had passed the last stage when the run was stopped, here and now."""
        return self._commits.salvage()

    def close(self) -> None:
        """End what this run started on the cluster, and remove the staging folder."""
        if self._nodes is not None:
            self._nodes.close()
        for actor in self._actors:
            ray.kill(actor)
        self._actors = []
        if self._connected:
            ray.shutdown()
            self._connected = False
        self._settings.output.remove_staged()

    # ── the dataset ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _dataset(self, items: list[dict[str, Any]]) -> ray.data.Dataset:
        plan = self._plan
        nodes = machines()
        check_fit(plan, nodes)
        share = cpu_share(plan, sum(node.cpu for node in nodes))
        ledger = ray.remote(AttemptLedger).options(**RESTART_ALWAYS).remote()
        board = None if self._nodes is None else self._nodes.board
        shards = [
            ray.remote(ClaimShardActor).options(**RESTART_ALWAYS).remote(self._settings.output.claim_log(shard), board)
            for shard in range(plan.executor.dedup_num_buckets if plan.needs_claims else 0)
        ]
        self._actors = [ledger, *shards]
        dataset = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            ReadStage,
            fn_constructor_args=(self._reader(), plan.executor.batch_size, ledger, plan.executor.max_attempts, board),
            compute=ray.data.ActorPoolStrategy(size=plan.loader_workers),
            num_cpus=share,
            **_ONE_ROW,
        )
        for stage in plan.stages:
            job = StageJob(
                plan=stage,
                settings=self._settings.stage,
                shards=shards,
                ledger=ledger,
                max_attempts=plan.executor.max_attempts,
                staging=self._staging if stage is plan.stages[-1] else None,
                board=board,
            )
            dataset = dataset.map_batches(
                type(f"Stage_{stage.index}", (StageActor,), {}),  # Ray Data names its statistics after the class
                fn_constructor_args=(job,),
                **_pool_options(stage, share),
                **_ONE_ROW,
            )
        return dataset

    def _reader(self) -> Any:
        """Return the loader for reading workers: one with blocks of this cluster as it is, any other as its plan."""
        return self._loader if isinstance(self._loader, RayDatasetLoader) else self._plan.loader

    # ── the cluster ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _connect(self) -> None:
        if ray.is_initialized():
            return
        address = cluster_address(self._plan.executor.ray_address)
        _log.info("%s", f"connecting to Ray at {address.value}" if address else "starting Ray on this machine")
        try:
            with _keep_sigterm_handler():
                if address is not None:
                    connect(address.value)
                else:
                    cpus = max(1, int(this_machine().cpu))
                    ray.init(
                        "local",
                        num_cpus=cpus,
                        include_dashboard=False,
                        log_to_driver=False,
                        logging_level=logging.ERROR,
                    )
        except (OSError, ValueError, RuntimeError) as error:
            if address is None:
                raise ConfigError(f"executor.engine: cannot start Ray on this machine: {first_line(error)}") from error
            raise ConfigError(
                f"{address.source}: cannot connect to {address.value}: {first_line(error)}",
                hint="give the address of a running cluster, or none to start one here",
            ) from error
        self._connected = True
        _log.info("Ray is ready; its workers start with the first records, which may take half a minute")


_log = logger("mega_data_factory")

_ONE_ROW: dict[str, Any] = {"batch_format": "pyarrow", "batch_size": 1}


def _pool_options(stage: StagePlan, share: float) -> dict[str, Any]:
    wanted = stage.resources
    fixed = stage.min_workers == stage.max_workers
    options: dict[str, Any] = {
        "compute": ray.data.ActorPoolStrategy(size=stage.min_workers)
        if fixed
        else ray.data.ActorPoolStrategy(min_size=stage.min_workers, max_size=stage.max_workers),
        "num_cpus": share if wanted.cpu is None else wanted.cpu,
    }
    if wanted.gpu:
        options["num_gpus"] = wanted.gpu
    if wanted.memory:
        options["memory"] = wanted.memory
    if wanted.custom:
        options["resources"] = dict(wanted.custom)
    return options


@contextmanager
def _keep_sigterm_handler() -> Iterator[None]:
    """Keep the handler of SIGTERM: Ray puts in its own, which ends the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit as ended:
        if ended.code == signal.SIGTERM and callable(before):  # Ray's handler was faster: the signal is ours to answer
            before(signal.SIGTERM, None)
        raise
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


@contextmanager
def _dataset_options() -> Iterator[None]:
    """Set the options of the dataset that is created inside; the user's own datasets keep theirs."""
    context = ray.data.DataContext.get_current()
    wanted = {
        "enable_progress_bars": False,
        "print_on_execution_start": False,
        # A block for every row: batches of one split go to different workers, and a kill repeats one batch, not all.
        "target_max_block_size": 1,
    }
    before = {name: getattr(context, name) for name in wanted}
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # that progress bars are off is a warning to Ray Data
    try:
        for name, value in wanted.items():
            setattr(context, name, value)
        with warnings.catch_warnings():
            # A pool larger than the number of CPUs is what fractions of CPUs are for.
            warnings.filterwarnings("ignore", message="The minimum number of concurrent actors")
            yield
    finally:
        for name, value in before.items():
            setattr(context, name, value)
