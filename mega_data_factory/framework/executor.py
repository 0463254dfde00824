"""Runs a pipeline: hands the plan to an engine, reads its stream of commit records, writes the metrics."""

from __future__ import annotations

import time
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

from mega_data_factory import storage
from mega_data_factory.errors import ConfigError, MdfError, ResumeError, StoreSilentError
from mega_data_factory.framework.batch import StagedBatch
from mega_data_factory.framework.commit.lock import FolderLock
from mega_data_factory.framework.commit.output import OutputFolder
from mega_data_factory.framework.config.pipeline import PipelineConfig, check_config
from mega_data_factory.framework.contracts import Loader
from mega_data_factory.framework.driver import places
from mega_data_factory.framework.driver.accounts import Accounts
from mega_data_factory.framework.driver.progress import Progress
from mega_data_factory.framework.driver.resuming import check_resumable, find_run, refuse_second_start
from mega_data_factory.framework.driver.session import RunSession
from mega_data_factory.framework.driver.splits import ListedAhead, SplitList, with_first_split
from mega_data_factory.framework.driver.unfinished import end_at_exit
from mega_data_factory.framework.engines.engine import Engine, Event, SplitsListed, StagePassed, WorkersReady
from mega_data_factory.framework.engines.local.processes.main_guard import refuse_in_worker
from mega_data_factory.framework.engines.selection import build_engine, check_engine
from mega_data_factory.framework.metrics import MetricsCollector
from mega_data_factory.framework.metrics.tracking.operator_stats import stats_by_stage
from mega_data_factory.framework.plan import Plan
from mega_data_factory.redaction.loggers import logger

__all__ = ["Executor", "Progress"]

log = logger("mega_data_factory")


class Executor:
    """Runs one pipeline once.

    Args:
        config: a checked configuration, a mapping, or the path of a YAML file.
        run_id: name of the run; made up when not given.
        resume: the run to resume: its id, a unique prefix of it, or `latest`.
        loader: a `RayDatasetLoader` over a dataset made in Python, instead of the one that `data_loader` describes.

    Attributes:
        run_id: name of the run.
        plan: what runs.
        metrics_collector: the metrics of the run, also while it runs.
        books: the account of the run.

    Raises:
        MdfError: the configuration is wrong, the pools do not fit this machine, or the run cannot be resumed.
    """

    def __init__(
        self,
        config: PipelineConfig | Mapping[str, Any] | str | Path,
        *,
        run_id: str | None = None,
        resume: str | None = None,
        loader: Loader | None = None,
    ) -> None:
        refuse_in_worker()
        self.plan: Plan = places.checked_plan(check_config(config))
        check_engine(self.plan, loader)
        self._resumes = resume is not None
        try:
            self.metrics_collector = MetricsCollector(run_id if resume is None else self._resumed_id(resume, run_id))
        except ValueError as error:
            raise ConfigError(str(error)) from None
        self.run_id = self.metrics_collector.run_id
        self._output = OutputFolder.from_plan(self.plan, self.run_id)
        self._accounts = Accounts(self.plan, self.metrics_collector, self._output.errors_path)
        self._recorder = self._accounts.recorder
        self.books = self._accounts.books
        self._loader = loader
        self._session: RunSession | None = None
        self._started = self._output_silent = False
        self._running: Callable[[], Generator[Progress, None, None] | None] = lambda: None
        folder = storage.local_path(self._output.path) if storage.is_local(self._output.path) else None
        self._folder_lock = FolderLock(folder, shared=self.plan.writer_options.if_exists == "append")

    @property
    def resumable(self) -> bool:
        """Whether the run has begun, has not completed, and can be resumed by another executor."""
        if self._session is None:
            return False
        if self._output_silent:  # its log is there, and will be read when the store answers again
            return True
        try:
            check_resumable(self.plan, self.run_id)
        except ResumeError:
            return False
        return True

    @property
    def had_completed(self) -> bool:
        """Whether a run that was resumed had completed before: nothing was left to do but the end of its clean-up."""
        return self._session is not None and self._session.had_completed

    def __repr__(self) -> str:
        stages = ", ".join(stage.name for stage in self.plan.stages)
        return f"<Executor {self.run_id}: {self.plan.loader.name} → {stages} → {self.plan.writer.name}>"

    def run(self) -> Progress:
        """Run the pipeline to its end, without a loop in the caller.

        Returns:
            The last progress: records read, passed, written, rejected and set aside.

        Raises:
            MdfError: what ended the run; its metrics are written nevertheless, with the status `failed`.
            RuntimeError: this executor has run already.
        """
        last = deque(self._start(), maxlen=1)
        return last.pop()

    def execute(self) -> Generator[Progress, None, None]:
        """Run the pipeline; yields progress whenever something happened.

        Unpacked as a pair, a progress is the records read and passed since the one before: they add up to the totals.

        A caller that stops iterating ends the run: what has passed the last stage is committed, the rest is not, and
        the metrics are written with the status `interrupted`. Metrics that cannot be written do not fail the run: that
        is logged as an error.

        Raises:
            MdfError: what ended the run; its metrics are written nevertheless, with the status `failed`.
            RuntimeError: this executor has run already.
        """
        return self._start()

    def shutdown(self) -> None:
        """End a run whose caller does not iterate further; one that has run to its end has nothing left to end.

        Raises:
            ValueError: another thread is iterating.
        """
        if (steps := self._running()) is not None:
            steps.close()

    def get_operator_stats(self) -> dict[str, dict[str, dict[str, float]]]:
        """Return the numbers of the operators so far, over all workers: `{stage: {operator: {column: number}}}`.

        Those of the stage are under `_stage_summary`. Committed batches count; what has had none yet is left out.
        """
        return stats_by_stage(self.metrics_collector.get_operator_metrics())

    def _start(self) -> Generator[Progress, None, None]:
        steps = end_at_exit(self._steps())
        self._running = weakref.ref(steps)
        return steps

    def _steps(self) -> Generator[Progress, None, None]:
        if self._started:
            raise RuntimeError(f"{self.run_id} has run already; make another Executor for another run")
        self._started = True
        completed = False
        try:
            places.check_writable(self.plan)
            if self._resumes:
                self._enter_earlier_sessions()
            else:
                refuse_second_start(self._output)
            if self.had_completed:
                completed = True
                yield Progress()
                return
            # Where this run has committed something, output in the folder is its own, or came after it.
            in_folder = self._session is not None and self._session.committed
            if not in_folder:
                self._output.check(self.plan.writer_options.if_exists)  # a run that is refused leaves no trace
            self._folder_lock.acquire()
            if not in_folder:
                self._output.check(self.plan.writer_options.if_exists)  # another run may just have ended
            if self.plan.executor.metrics.enabled:
                with self._recorder.recording():
                    yield from self._move_batches()
            else:
                yield from self._move_batches()
            completed = self._recorder.failure is None
        finally:
            if self._session is not None:
                self._session.end(completed=completed)
            self._folder_lock.release(unused=self._session is None)

    def write_metrics(self) -> None:
        """Write the metrics of the run as Parquet, on three levels; for a run with `write_on_completion: false`.

        Raises:
            MdfError: they cannot be written.
        """
        self._recorder.write()

    # ── the run ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _move_batches(self) -> Iterator[Progress]:
        started = time.monotonic()
        loader = self._loader or self.plan.loader.build()
        settings = self.plan.executor
        committed = self._session.committed_splits if self._session is not None else {}
        splits = self._splits = SplitList(loader, settings.batch_size, settings.max_samples, committed)
        self._recorder.columns.source = splits.size
        tasks = iter(splits) if self.plan.loader.name == "ray_dataset_loader" else with_first_split(splits)
        ahead: ListedAhead | None = None
        if settings.engine == "local" and settings.max_samples is None:  # with a limit, listing reads splits to count
            tasks = ahead = ListedAhead(tasks)
        session = self._begin()
        engine = build_engine(self.plan, self._output, loader, session.lock.descriptor, self._recorder.nodes)
        events = engine.run(tasks)
        try:
            for event in events:
                self._enter(event)
                yield self._accounts.progress(engine.loads(), time.monotonic() - started)
                self._accounts.check_error_limit(final=False)
            self._accounts.check_error_limit(final=True)
        except BaseException as error:
            events.close()
            if ahead is not None:
                ahead.close()
            # where the store of the output does not answer it has been asked often enough
            self._output_silent = isinstance(error, StoreSilentError) and not storage.is_local(self._output.path)
            if not self._output_silent:
                self._salvage(engine)
            self._clean_up(engine, session, error)
            raise
        self._clean_up(engine, session)
        if self.books.read:  # a source that holds nothing, a disk that is not mounted, must not cost the last output
            session.replace_earlier()
        self._recorder.columns.finished = True

    def _resumed_id(self, wanted: str, run_id: str | None) -> str:
        if run_id is not None:
            raise ConfigError("a run that is resumed keeps its id", hint="leave out the other id")
        found = find_run(self.plan, wanted)
        check_resumable(self.plan, found)
        return found

    def _enter_earlier_sessions(self) -> None:
        """Enter what earlier sessions of the run have committed, as if it had happened now."""
        self._session = RunSession.next(self.plan, self._output)
        self._output = self._session.output
        if self.had_completed:
            log.info("%s had completed, and is cleaned up now", self.run_id)
            return
        self._recorder.resume_from(self._session.began, self._session.seconds)
        log.info(
            "resuming %s: %s of %s records are committed already",
            self.run_id,
            f"{sum(record.output_records for record in self._session.committed):,}",
            f"{sum(record.batch.records for record in self._session.committed):,}",
        )
        for record in self._session.committed:
            self._accounts.enter_staged(StagedBatch(record.batch, record.output_records, 0))
            self._accounts.enter_commit(record)

    def _begin(self) -> RunSession:
        if self._session is None:
            self._session = RunSession.first(self.plan, self._output)
            self._output = self._session.output
        if self._output.holds_back:
            self._recorder.note_pending_output(self._output.pending)
            log.info("the output in %s stays until this run is complete, and is replaced then", self._output.path)
        return self._session

    def _enter(self, event: Event) -> None:
        if isinstance(event, SplitsListed):
            self.books.splits = self._splits.count
        elif isinstance(event, WorkersReady):
            self._recorder.note_startup(event.seconds)
        elif isinstance(event, StagePassed):
            self._accounts.enter_stage_passed(event.batch)
        elif isinstance(event, StagedBatch):
            self._accounts.enter_staged(event)
        else:
            self._accounts.enter_commit(event)

    def _salvage(self, engine: Engine) -> None:
        try:
            for record in engine.salvage():
                self._accounts.enter_commit(record, salvaged=True)
        except Exception as error:  # noqa: BLE001 - the error that ended the run is the one to report
            log.warning("batches that had passed the last stage could not be written: %s", error)

    def _clean_up(self, engine: Engine, session: RunSession, failure: BaseException | None = None) -> None:
        """End the engine, remove what is not committed, write samples; what fails here does not hide a failure."""
        try:
            engine.close()
            if not self._output_silent:
                session.remove_uncommitted()
            self._accounts.write_rejected_samples()
        except MdfError as error:
            if failure is None:
                raise
            log.warning("uncommitted files could not be removed: %s", error)
