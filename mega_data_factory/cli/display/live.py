"""Live screen of a run: a row for every stage, and below it rejects and errors."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mega_data_factory.cli.display.columns import plain_table
from mega_data_factory.formats import NOTHING, count, percent, plural, rate, whole_seconds
from mega_data_factory.framework.driver.progress import Progress, StageProgress

_WINDOW = 10.0
"""Seconds that a rate looks back."""

_REASONS = 4
"""Reasons that are named; the others are counted."""

_NARROW = 100
"""Columns below which the screen leaves out what can be missed."""


class Rates:
    """Records per second over the last seconds, by name.

    Args:
        window: seconds to look back.
    """

    def __init__(self, window: float = _WINDOW) -> None:
        self._window = window
        self._seen: deque[tuple[float, dict[str, int]]] = deque()

    def note(self, now: float, counts: dict[str, int]) -> None:
        """Remember how many records there were at a moment, in seconds of any clock."""
        if self._seen and now - self._seen[-1][0] < self._window / 50:
            self._seen[-1] = (self._seen[-1][0], counts)
            return
        self._seen.append((now, counts))
        while len(self._seen) > 2 and self._seen[1][0] <= now - self._window:
            self._seen.popleft()

    def per_second(self, name: str, now: float) -> float | None:
        """Return records per second up to now; None during the first second."""
        if not self._seen or now - self._seen[0][0] < 1.0:
            return None
        then, counts = self._seen[0]
        return (self._seen[-1][1].get(name, 0) - counts.get(name, 0)) / (now - then)


class LiveScreen:
    """Makes the screen of one run from what it tells.

    A stage is done when the source is: its bar shows the share of the source that has passed the last stage.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started = clock()
        self._rates = Rates()
        self._now = Progress()
        self._done = 0.0

    def note(self, progress: Progress) -> None:
        """Take what the run tells."""
        self._now = progress
        self._done = max(self._done, progress.share or 0.0)  # an estimate may sink; a bar that runs back irritates
        counts = {stage.name: stage.input_records for stage in progress.stages}
        self._rates.note(self._clock(), {"": progress.records_read, **counts})

    @property
    def seconds_left(self) -> float | None:
        """Seconds to the end at the pace so far; None if the size of the source is not known."""
        return self._now.elapsed * (1 - self._done) / self._done if self._done > 0.01 else None

    def screen(self, width: int) -> RenderableType:
        """Return the screen, as wide as `width` columns."""
        now = self._clock()
        if not self._now.records_read:
            return Text(f"starting, {now - self._started:.0f} s", style="dim")
        parts: list[RenderableType] = [self._head(now, width)]
        if self._now.stages:
            parts.append(self._stages(now, width))
        parts += self._set_aside()
        return Group(*parts)

    def _head(self, moment: float, width: int) -> Text:
        now = self._now
        elapsed = moment - self._started
        left = self.seconds_left
        done = f"{percent(100 * self._done)}{share_of(now)}, {whole_seconds(left)} left" if left is not None else ""
        waiting = f", {count(now.records_waiting)} passed (not yet in a file)" if now.records_waiting else ""
        text = Text.assemble(
            (count(now.records_read), "bold"),
            " read, ",
            (count(now.records_written), "bold"),
            " written",
            waiting,
            f"; {rate(self._rates.per_second('', moment))}, {whole_seconds(elapsed)}",
        )
        if done:
            text.append(f"; {done}" if text.cell_len + len(done) + 2 <= width else f"\n{done}")
        return text

    def _stages(self, now: float, width: int) -> Table:
        wide = width >= _NARROW
        table = plain_table()
        table.add_column("stage", no_wrap=True, overflow="ellipsis")
        table.add_column("done", width=24 if wide else 12)
        for heading in ("in", "rate", "pass", *(("workers", "backlog", "left") if wide else ())):
            table.add_column(heading, justify="right", no_wrap=True)
        for stage in self._now.stages:
            table.add_row(
                Text(stage.name),
                ProgressBar(total=1.0, completed=self._done, width=24 if wide else 12),
                *self._numbers(stage, now),
                *(self._pool(stage) if wide else ()),
            )
        return table

    def _numbers(self, stage: StageProgress, now: float) -> Sequence[str]:
        passed = 100 * stage.output_records / stage.input_records if stage.input_records else None
        return count(stage.input_records), rate(self._rates.per_second(stage.name, now)), percent(passed)

    def _pool(self, stage: StageProgress) -> Sequence[str]:
        left = self.seconds_left
        return (
            count(stage.workers),
            NOTHING if stage.backlog is None else count(stage.backlog),
            NOTHING if left is None else whole_seconds(left),
        )

    def _set_aside(self) -> list[Text]:
        now = self._now
        lines = []
        if now.records_rejected:
            lines.append(Text(f"rejected {count(now.records_rejected)}: {top_reasons(now)}", no_wrap=True, style="dim"))
        if now.record_errors:
            lines.append(Text(error_line(now), no_wrap=True, style="red"))
        if now.dead_lettered:
            lines.append(Text(f"dead-lettered {count(now.dead_lettered)}", style="red"))
        for line in lines:
            line.overflow = "ellipsis"
        return lines


def share_of(progress: Progress) -> str:
    """Return ` of its bytes`, or the other unit that the share of the source is in; nothing for records."""
    return "" if progress.share_unit == "records" else f" of its {progress.share_unit}"


def top_reasons(progress: Progress) -> str:
    """Return the reasons that most rejects carry: `too_short 367, duplicate 103, 2 other reasons 12`."""
    by_number = sorted(progress.reasons.items(), key=lambda item: (-item[1], item[0]))
    parts = [f"{reason} {count(number)}" for reason, number in by_number[:_REASONS]]
    if rest := by_number[_REASONS:]:
        parts.append(f"{plural(len(rest), 'other reason')} {count(sum(n for _, n in rest))}")
    return ", ".join(parts)


def error_line(progress: Progress) -> str:
    """Return the number of failed records, and the last message."""
    last = progress.last_error
    text = f"errors {count(progress.record_errors)}"
    if last is None:
        return text
    where = f"{last.stage}/{last.operator}" if last.operator else last.stage
    reason = " ".join(last.reason.split())
    return f"{text}, the last in {where}, record {last.record_id}: {reason}"
