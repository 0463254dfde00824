"""The handle of an observed run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack, overload

from mega_data_factory.observe import connection
from mega_data_factory.observe.counting import calls
from mega_data_factory.observe.driver.checking import check_rejects, check_slice_by, check_text
from mega_data_factory.observe.driver.definitions.defined_steps import text_of
from mega_data_factory.observe.driver.definitions.defining import (
    Decorating,
    arguments_of,
    is_pipeline_step,
    make_step,
    name_of,
)
from mega_data_factory.observe.driver.definitions.step_options import CountingOptions, StepOptions
from mega_data_factory.observe.driver.notebook import current_cell
from mega_data_factory.observe.driver.open_runs import note_ended, note_started
from mega_data_factory.observe.driver.recording.recording import Recording
from mega_data_factory.observe.driver.run_in_worker import RunInWorker
from mega_data_factory.observe.driver.settings import ObserveSettings
from mega_data_factory.observe.engines.plain import PoolTask
from mega_data_factory.observe.steps.spec import RunRef
from mega_data_factory.storage import Location

if TYPE_CHECKING:
    from mega_data_factory.framework.metrics.live.exporting import Exporter
    from mega_data_factory.observe.counting.survey.sheets import SliceBy

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


class ObservedRun:
    """A run of a pipeline that another engine executes; made by `observe`.

    It is a context manager. Where a `with` block does not fit, as over the cells of a notebook, `start` and `end` do
    the same.

    A copy in another process (the user's function may hold the run) only knows `reject` and `report`.

    Attributes:
        run_id: name of the run.
    """

    def __init__(self, settings: ObserveSettings, run_id: str | None = None) -> None:
        self._settings = settings
        self._recording = Recording(settings, run_id)
        self.run_id = self._recording.run_id
        self._ref = RunRef(self.run_id, self._recording.addresses)
        self._stack: ExitStack | None = None
        self._pid = os.getpid()

    def __repr__(self) -> str:
        return f"<observed run {self.run_id} of {self._settings.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return RunInWorker, (self.run_id,)

    # ── the run ───────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> Self:
        """Start the run: from now on its metrics are written.

        Raises:
            RuntimeError: it has been started before, or a run of this id is open in this process.
        """
        if self._stack is not None:
            raise RuntimeError(f"{self.run_id} has been started before; call observe again for another run")
        note_started(self.run_id, self._end_with)
        self._pid = os.getpid()
        connection.register(self.run_id, self._recording.ledger.take, self._recording.addresses)
        self._ref.forget()
        self._stack = ExitStack()
        self._stack.enter_context(self._recording.recording())
        return self

    def end(self) -> None:
        """End the run as completed, and write its last metrics; nothing happens when it has ended."""
        self.__exit__(None, None, None)

    def _end_with(self, error: BaseException | None) -> None:
        """End the run, which its user has not ended."""
        try:
            self.__exit__(None if error is None else type(error), error, None)
        except Exception as raised:
            if raised is not error:
                raise

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._stack is not None and self._pid != os.getpid():
            return  # a forked child leaves the block of its parent, whose run continues
        note_ended(self.run_id)
        stack, self._stack = self._stack, ExitStack()
        if isinstance(error, SystemExit) and not error.code:  # a script that ends itself well
            kind = error = traceback = None
        if stack is not None:
            connection.finish_streams(self.run_id)
            try:
                stack.__exit__(kind, error, traceback)
            finally:
                connection.close(self.run_id)

    # ── steps ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @overload
    def step(self, function: None = None, **options: Unpack[StepOptions]) -> Callable[[FunctionT], FunctionT]: ...

    @overload
    def step(self, function: Any, **options: Unpack[StepOptions]) -> Any: ...

    def step(
        self,
        function: Any = None,
        *,
        name: str | None = None,
        stage: str | None = None,
        reason: str | None = None,
        text: str | None = None,
        tokens: str | None = None,
        slice_by: SliceBy | Sequence[SliceBy] | None = None,
        on_error: str = "raise",
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        filters: bool | None = None,
        flat: bool | None = None,
        batched: bool | None = None,
        count: Callable[[Any], int] | None = None,
    ) -> Any:
        """Return `function` observed: it is called like the original, and its records are counted.

        Args:
            function: a function, a coroutine function, a generator function, an object or class with `__call__`, an
                iterable, or one of our operators. A class is built by the engine, or, where `args` or `kwargs` are
                given, once per worker process. Without it, the result is a decorator; with a text in its place, which
                is the name, a context manager for a block of code.
            name: operator name in the metrics; by default that of the function.
            stage: stage name in the metrics; by default the name of the step.
            reason: reason of the records that the step leaves out, where it does not say itself.
            text: column whose bytes of text are counted on the way in and out; by default that of the run.
            tokens: column that holds the number of tokens of each record; by default that of the run.
            slice_by: what records are also counted by, see `observe`; by default that of the run. `()` is nothing.
            on_error: `raise` lets an exception pass, with all records of its batch counted as errors. `skip` halves the
                batch until the records that raise stand alone, sets these aside, and keeps the rest.
            args, kwargs: arguments of the constructor, where `function` is a class.
            filters: whether a result of truth values is the decision of a filter (True), never (False), or, by default,
                where it fits: a truth value for a record, or a mask with an entry for each record of a batch.
            flat: whether a list returned for one record is many records (True) or one (False); by default many where
                its items are of the type of the record.
            batched: whether a mapping is a batch of columns (True) or a record (False); by default a batch where its
                values are arrays of one length, or at least two lists of one length.
            count: counts the records in a value of a form that is not known; one record by default.

        Raises:
            TypeError: `function` is none of these, or another argument is not of its type.
            ValueError: `on_error` is neither `raise` nor `skip`, or a text is empty.
        """
        for option, given in (("name", name), ("stage", stage)):
            if given is not None:
                check_text(f"{option} of a step", given)
        options = CountingOptions(reason, text, tokens, slice_by, on_error, filters, flat, batched, count)
        if function is None:
            named: dict[str, Any] = {"name": name, "stage": stage, "args": args, "kwargs": kwargs}
            return Decorating(self.step, named | options.as_keywords())
        operator = name or name_of(function)
        shown = options.as_config()
        if args or kwargs:
            shown |= {"args": [_shown(a) for a in args], "kwargs": {k: _shown(v) for k, v in (kwargs or {}).items()}}
        shown |= arguments_of(function)
        cell = current_cell()
        with self._recording.defining(operator, stage or operator, text_of(function), shown, cell) as defined:
            one_by_one = is_pipeline_step(function)
            spec = options.spec(self._ref, defined, self._settings, one_by_one=one_by_one)
            return make_step(spec, function, args, kwargs)

    def task(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return `function` for a pool of processes: the steps that it calls count when its result has arrived.

        A step that is handed to a pool itself needs no task. A step within a function of yours does: without one, what
        a worker counts before it is killed is counted again when you repeat the work.

        Args:
            function: what the pool calls.
        """
        return PoolTask(self.run_id, function)

    def pipeline(self, pipeline: Any, *, stage: str = "pipeline") -> Any:
        """Return a pipeline of datatrove observed: each of its steps, readers and writers included, is a step.

        Args:
            pipeline: an executor, which is changed and returned: `run.pipeline(executor).run()`. Tasks that an earlier
                launch has completed count as they did then. Or a list of steps, functions and documents, for an
                executor that is made of it; then the tasks that it skips are not counted.
            stage: stage name of the steps in the metrics.

        Raises:
            TypeError: `pipeline` is neither.
        """
        from mega_data_factory.observe.datatrove.pipelines import observed_pipeline

        return observed_pipeline(self.step, pipeline, stage)

    reject = staticmethod(calls.reject)
    report = staticmethod(calls.report)


def _shown(value: Any) -> Any:
    """Return an argument as the configuration in the run row shows it."""
    if isinstance(value, str | bool | int | float | None):
        return value
    if isinstance(value, Mapping):
        return {str(k): _shown(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and len(value) <= 100:
        return [_shown(item) for item in value]
    return f"<{type(value).__module__}.{type(value).__qualname__}>"


def observe(
    name: str,
    *,
    metrics: Location = "./metrics",
    run_id: str | None = None,
    flush_interval: float = 5.0,
    node_interval: float = 1.0,
    config: Mapping[str, Any] | None = None,
    redact: Sequence[str] = (),
    rejected_samples: int = 3,
    accounts: str | None = None,
    text: str | None = None,
    tokens: str | None = None,
    slice_by: SliceBy | Sequence[SliceBy] = (),
    rejects: str | None = None,
    prices: Mapping[str, Any] | None = None,
    exporters: Sequence[Exporter] = (),
) -> ObservedRun:
    """Observe a pipeline that another engine executes: count what its steps do, and write metrics as a run.

        with mdf.observe("nightly_clean", metrics="./metrics") as run:
            ds = ds.map_batches(run.step(normalise, stage="clean"), batch_format="pyarrow")
            ds = ds.filter(run.step(is_english, stage="judge", reason="not_english"))
            ds.write_parquet(target)

    Args:
        name: of the pipeline; runs of one name are compared.
        metrics: folder that the metrics are written to, local or an fsspec URI.
        run_id: name of the run; generated by default.
        flush_interval: seconds from one write to the next.
        node_interval: seconds from one sample of CPU, memory, disk and network to the next; 0 takes none.
        config: further settings of the run, to be shown with it and compared; secrets are kept out.
        redact: keys in it and in arguments of steps whose values are kept out of the metrics, beside those that look
            secret; patterns with `*`.
        rejected_samples: rejected records to keep as examples, of every step and reason; 0 keeps none.
        accounts: folder for accounts of worker processes, where the one beside the metrics is not reached by all.
        text: column whose bytes of text are counted, in all steps that name no other.
        tokens: column that holds the number of tokens of each record, likewise.
        slice_by: what records are also counted by, likewise: names of columns, `domain(url)` for the host of the URL in
            a column, `source_file()` for the file that a `record_id` of ours names, or functions of a record.
        rejects: `"all"` keeps a row of every rejected record (id, reason, score, threshold), for `mdf rejects`.
        prices: what an hour costs, for `mdf runs cost`: `cpu_hour`, `gpu_hour`, `memory_gb_hour` or `node_hour`, and
            `currency`; `nodes` maps patterns of host names to prices of their own.
        exporters: send the metrics to other systems while the run lasts: `OpenLineageExporter(url=…)` and others of
            `mega_data_factory.exports`, or your own.

    Raises:
        TypeError: an argument is not of its type.
        ValueError: the run id cannot be the name of a file, a name is empty, or a number is too small.
    """
    if not isinstance(metrics, str | os.PathLike):
        raise TypeError(f"metrics must be a folder or the URI of one, not {metrics!r}")
    settings = ObserveSettings(
        name,
        str(metrics),
        flush_interval,
        node_interval,
        {} if config is None else config,
        redact,
        rejected_samples,
        accounts,
        text,
        tokens,
        check_slice_by(slice_by),
        check_rejects(rejects),
        {} if prices is None else prices,
        exporters,
    )
    return ObservedRun(settings, run_id)
