"""When a run started, when and how it ended, and the row that it makes of its stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from mega_data_factory.framework.metrics.models import RunMetrics, StageMetrics
from mega_data_factory.redaction import named, without_credentials


class RunTimes:
    """Time and outcome of one run.

    Args:
        run_id: the run.
        clock: monotonic seconds.
        now: the time of day, naive UTC.
        config: the configuration, if known.

    Attributes:
        config: the same; it may be set.
    """

    def __init__(
        self,
        run_id: str,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        config: dict[str, Any] | None = None,
    ) -> None:
        self.config = config
        self._run_id = run_id
        self._clock = clock
        self._now = now
        self._started: tuple[datetime, float] | None = None
        self._ended: tuple[datetime, float] | None = None
        self._status = "running"
        self._error: str | None = None

    @property
    def started(self) -> bool:
        """Whether the run has been entered."""
        return self._started is not None

    @property
    def ended(self) -> bool:
        """Whether the run has been left."""
        return self._ended is not None

    @contextmanager
    def track(self, began: datetime | None, seconds: float) -> Iterator[None]:
        """Time the run, and note how it ends.

        Args:
            began: when a run that is continued was started first, naive UTC.
            seconds: how long it had run before.

        Raises:
            RuntimeError: the run is tracked already, or was.
        """
        if self.started:
            was = "is being tracked already" if not self.ended else f"has been tracked already: {self._status}"
            raise RuntimeError(f"{self._run_id} {was}; make another MetricsCollector for another run")
        self._started = began or self._now(), self._clock() - seconds
        try:
            yield
            self._status = "completed"
        except Exception as error:
            self._status, self._error = "failed", without_credentials(named(error))
            raise
        except GeneratorExit:
            self._status, self._error = "interrupted", "the caller stopped"
            raise
        except BaseException as error:
            self._status, self._error = "interrupted", type(error).__name__
            raise
        finally:
            self._ended = self._now(), self._clock()

    def row(self, stages: Sequence[StageMetrics], totals: Mapping[str, Any], measuring_seconds: float) -> RunMetrics:
        """Return the row of the run, which has started.

        Args:
            stages: its stages; what `totals` does not say follows from them.
            totals: columns of the row.
            measuring_seconds: seconds that measuring took.
        """
        assert self._started is not None
        _, ended = self._ended or (None, self._clock())
        counting = [stage for stage in stages if stage.input_records or stage.output_records]
        run = RunMetrics(
            run_id=self._run_id,
            start_time=self._started[0],
            end_time=None if self._ended is None else self._ended[0],
            duration=ended - self._started[1],
            num_stages=len(stages),
            total_input_records=counting[0].input_records if counting else 0,
            total_output_records=counting[-1].output_records if counting else 0,
            total_errors=sum(stage.error_count for stage in stages)
            + totals.get("loader_errors", 0)
            + totals.get("writer_errors", 0),
            rejected_records=sum(stage.rejected_records for stage in stages),
            created_records=sum(stage.created_records for stage in stages),
            input_text_bytes=counting[0].input_text_bytes if counting else None,
            output_text_bytes=counting[-1].output_text_bytes if counting else None,
            input_tokens=counting[0].input_tokens if counting else None,
            output_tokens=counting[-1].output_tokens if counting else None,
            config=self.config,
            status=self._status,
            error=self._error,
            instrumentation_seconds=measuring_seconds,
            stage_metrics=list(stages),
        )
        for name, value in totals.items():
            setattr(run, name, value)
        return run
