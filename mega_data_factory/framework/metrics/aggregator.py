"""Gather metrics from workers, and sum them up to stages."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import Any

from mega_data_factory.framework.metrics.models import OperatorMetrics, StageMetrics
from mega_data_factory.framework.metrics.tracking.operator_stats import OperatorStats
from mega_data_factory.redaction.loggers import logger

_log = logger("mega_data_factory.metrics")

_Answers = dict[int, Any]

_METRICS, _STATS = "get_operator_metrics", "get_operator_stats"


class MetricsAggregator:
    """Collects operator rows from the workers of a run.

    A worker is a Ray actor handle or a plain object. Its `get_operator_metrics()` returns a row or a list of rows,
    each an `OperatorMetrics`, a dict of its columns, or what `OperatorMetrics.to_wire` gives. A worker that has
    `get_operator_stats()` instead returns a dict of the statistics of each operator, as
    `OperatorTracker.update_from_stats` takes them: a worker does not know its stage, so the stage of these rows is
    empty, until `aggregate_to_stage_metrics` names it.

    Args:
        run_id: the run; rows that come as dicts without a run id are of it.

    Attributes:
        unreachable: the workers that did not answer the last `collect_from_workers`, by their text form.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.unreachable: list[str] = []

    def collect_from_workers(self, workers: Sequence[Any], timeout: float = 10.0) -> list[OperatorMetrics]:
        """Ask all workers at once. One that is dead, slow or answers nonsense is left out, with a warning.

        Args:
            workers: Ray actor handles, plain objects, or both.
            timeout: seconds to wait for all of them together.

        Returns:
            The rows, in the order of the workers.
        """
        deadline = time.monotonic() + timeout
        self.unreachable = []
        actors = {i: worker for i, worker in enumerate(workers) if _is_actor(worker)}
        plain = {i: worker for i, worker in enumerate(workers) if i not in actors}
        finish_plain = _ask_plain(plain)
        answers = _ask_actors(actors, deadline) if actors else {}
        answers |= finish_plain(deadline)
        rows: list[OperatorMetrics] = []
        for i, worker in enumerate(workers):
            try:
                answer = answers.get(i, TimeoutError(f"no answer within {timeout:g} s"))
                if isinstance(answer, Exception):
                    raise answer
                rows += self._rows_of(answer) if _question(worker) == _METRICS else self._stats_of(worker, i, answer)
            except Exception as error:  # noqa: BLE001 - a failing worker must not cost the metrics of the others
                self.unreachable.append(str(worker))
                _log.warning("metrics of worker %s are missing: %s: %s", worker, type(error).__name__, error)
        return rows

    def _rows_of(self, answer: Any) -> list[OperatorMetrics]:
        items = [answer] if isinstance(answer, OperatorMetrics | Mapping) else answer
        return [item if isinstance(item, OperatorMetrics) else self._row(item) for item in items]

    def _row(self, values: Mapping[str, Any]) -> OperatorMetrics:
        if "k" in values:
            return OperatorMetrics.from_wire(values)
        return OperatorMetrics.from_dict({"run_id": self.run_id, **values})

    def _stats_of(self, worker: Any, number: int, answer: Any) -> list[OperatorMetrics]:
        """Return the rows of the statistics of a worker, in its order of operators."""

        def warn(_: str, problem: str) -> None:
            _log.warning("metrics of worker %s: %s", worker, problem)

        if not isinstance(answer, Mapping) or not all(isinstance(stats, Mapping) for stats in answer.values()):
            raise TypeError(f"{_STATS}() must return a dict of dicts by operator, not {answer!r:.200}")
        operators = [name for name in answer if not str(name).startswith("_")]  # others are sums over operators
        return [
            OperatorStats.parse(answer[name], warn).to_row(
                (self.run_id, "", str(name), _name_of(worker, number)), operator_index
            )
            for operator_index, name in enumerate(operators)
        ]

    def aggregate_to_stage_metrics(self, operator_metrics: Iterable[OperatorMetrics], stage_name: str) -> StageMetrics:
        """Sum up the operator rows of one stage; rows of other stages are left out, rows without a stage are of it."""
        rows = [row if row.stage_name else _in_stage(row, stage_name) for row in operator_metrics]
        return StageMetrics.from_operators(rows, stage_name, self.run_id)

    def collect_stage_metrics(self, workers: Sequence[Any], stage_name: str, timeout: float = 10.0) -> StageMetrics:
        """Ask the workers of a stage and sum up what they say."""
        return self.aggregate_to_stage_metrics(self.collect_from_workers(workers, timeout), stage_name)


def _question(worker: Any) -> str:
    """Return the name of the method that a worker is asked by."""
    return _STATS if hasattr(worker, _STATS) and not hasattr(worker, _METRICS) else _METRICS


def _is_actor(worker: Any) -> bool:
    return hasattr(getattr(worker, _question(worker), None), "remote")


def _name_of(worker: Any, number: int) -> str:
    """Return a name for a worker that does not put it in its answer."""
    if _is_actor(worker):
        return f"worker-{worker._actor_id.hex()[:8]}"
    name = getattr(worker, "name", None)
    return name if isinstance(name, str) and name else f"worker_{number}"


def _in_stage(row: OperatorMetrics, stage_name: str) -> OperatorMetrics:
    copy = row.copy()
    copy.stage_name = stage_name
    return copy


def _ask_actors(actors: Mapping[int, Any], deadline: float) -> _Answers:
    """Return the answers of the actors until the deadline, or the errors that they raise."""
    import ray

    answers: _Answers = {}
    refs: dict[Any, int] = {}
    for i, actor in actors.items():
        try:
            refs[getattr(actor, _question(actor)).remote()] = i
        except Exception as error:  # noqa: BLE001 - a failing worker must not cost the metrics of the others
            answers[i] = error
    wait = max(0.0, deadline - time.monotonic())
    ready, _ = ray.wait(list(refs), num_returns=len(refs), timeout=wait) if refs else ([], [])
    for ref in ready:
        try:
            answers[refs[ref]] = ray.get(ref)
        except Exception as error:  # noqa: BLE001 - likewise
            answers[refs[ref]] = error
    return answers


def _ask_plain(workers: Mapping[int, Any]) -> Callable[[float], _Answers]:
    """Ask plain objects in threads of their own; the result waits for the answers until a deadline."""
    queue: SimpleQueue[tuple[int, Any]] = SimpleQueue()

    def ask(i: int, worker: Any) -> None:
        try:
            queue.put((i, getattr(worker, _question(worker))()))
        except Exception as error:  # noqa: BLE001 - raised again by who asked
            queue.put((i, error))

    for i, worker in workers.items():
        threading.Thread(target=ask, args=(i, worker), daemon=True, name=f"metrics-of-worker-{i}").start()

    def finish(deadline: float) -> _Answers:
        answers: _Answers = {}
        while len(answers) < len(workers):
            try:
                i, answer = queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                break
            answers[i] = answer
        return answers

    return finish
