"""Point by point: how strange is this value, after all that its series has shown so far?"""

from __future__ import annotations

from math import fabs, nan
from numbers import Real

from mega_data_factory.analytics.anomaly.hold_off import HoldOff
from mega_data_factory.analytics.anomaly.novelty import Novelty
from mega_data_factory.analytics.anomaly.reason import Direction, Kind, Reason
from mega_data_factory.analytics.anomaly.rolling import RollingExtremes
from mega_data_factory.analytics.anomaly.streaks import RunLength, Silence
from mega_data_factory.errors import AnalysisError

# How these were chosen, and on what plateau they lie: docs/decisions/0010-anomalies-by-novelty.md
_ALARM_DECADES = 2.5  # of novelty make a score of 1
_VALUE = 1.0 / _ALARM_DECADES
_LEVEL = 0.6 / _ALARM_DECADES  # a new least or greatest of the last values weighs less than a new value,
_SPREAD = 0.8 / _ALARM_DECADES  # and so does a new spread
_WINDOW = 48  # points
_LARGEST = 1e300  # beyond it a difference could be infinite
_LEAST_MOVES = 20  # a metric that has moved less often may stay constant for any time


class AnomalyDetector:
    """Scores the points of one series as they arrive: no training, no look-ahead, one set of constants, bounded memory.

    A value is strange when it lies far from every value seen before; so are the least, the greatest and the spread of
    the last 48 values; a frozen metric and missing values are strange by the length of their run. A score counts only
    where it exceeds the last ones: one incident, one alarm.

    >>> detector = AnomalyDetector()
    >>> scores = [detector.update(50 + second % 7) for second in range(500)]
    >>> max(scores) < detector.threshold <= detector.update(98)
    True
    >>> detector.reason().text("cpu_usage", "node-2", "%")
    'cpu_usage on node-2 reached 98 %, 75 % above anything seen in 501 points'

    Instances can be pickled between two points and continue unchanged.

    Args:
        sensitivity: in (0, 1). It moves the threshold and nothing else: 0.5 is calibrated on the Numenta Anomaly
            Benchmark; towards 1 more is an alarm, towards 0 less.
        warm_up: values at the start that score 0, since there is nothing to compare with yet.

    Raises:
        AnalysisError: `sensitivity` is not between 0 and 1.
    """

    def __init__(self, sensitivity: float = 0.5, *, warm_up: int = 120) -> None:
        try:
            fits = 0.0 < sensitivity < 1.0
        except TypeError:
            fits = False
        if not fits:
            raise AnalysisError(
                f"the sensitivity of an anomaly detector is {sensitivity!r}",
                hint="use a value between 0 and 1, exclusive; the default is 0.5",
            )
        self.sensitivity = sensitivity
        self.threshold: float = 4.0 ** (0.5 - sensitivity)
        """A score of this or more is an alarm: 1 at sensitivity 0.5, nearly 2 at the least, 0.5 at the greatest."""
        self.warm_up = warm_up
        self.points = 0
        """Values seen so far; missing ones are not counted."""
        self._value = Novelty(resolution=0.002)
        self._least = Novelty(resolution=0.01)
        self._greatest = Novelty(resolution=0.01)
        self._spread = Novelty(resolution=0.01)
        self._extremes = RollingExtremes(_WINDOW)
        self._hold_off = HoldOff(share=0.06, most=1000, factor=1.15)
        self._last = nan
        self._run = 0  # values in a row that equal the last
        self._moves = 0
        self._flat = RunLength(least=30, factor=4)
        self._silence = Silence()
        self._missing = RunLength(least=10, factor=3)
        self._since: float | None = None
        self._now: float | None = None
        self._score = 0.0  # of the last point, with its reason
        self._reason: Reason | None = None

    def update(self, value: float | None, timestamp: float | None = None) -> float:
        """Take the next point and return its score: 0 is ordinary, `threshold` or more is an alarm.

        Args:
            value: the measurement. None, NaN, infinities and amounts beyond 1e300 count as missing.
            timestamp: microseconds since the epoch. With it, time without any point is missing data too; one that is
                not later than the last is taken for the same moment.

        Raises:
            AnalysisError: `value`, or the first timestamp, is not a number.
        """
        try:
            missing = value is None or not fabs(value) <= _LARGEST
        except OverflowError:  # an integer that no float can hold
            missing = True
        except TypeError:
            raise AnalysisError(
                f"a series holds {value!r}, which is not a number", hint="numbers; None or NaN if one is missing"
            ) from None
        self._score = 0.0
        self._reason = None
        self._now = timestamp
        if self._since is None and timestamp is not None:
            self._since = _checked(timestamp)
        silence = self._silence.steps(timestamp, missing)
        if silence >= 1.0:
            self._judge_silence(silence, over=not missing)
        if value is not None and not missing:
            number = float(value)
            self.points += 1
            self._judge_value(number)
            self._judge_run(number)
        return self._score

    def reason(self) -> Reason | None:
        """Return the evidence for the score of the last point; None if that was 0."""
        return self._reason

    def _judge_value(self, value: float) -> None:
        """Return the novelty of the value, and of the least, the greatest and the spread of the last values."""
        points = self.points
        least, greatest = self._extremes.push(value)
        own = score = _VALUE * self._value.learn(value, points)
        kind: Kind = "value"
        judged, novelty = value, self._value
        if points >= _WINDOW:  # of fewer there is no level yet that could be held
            level = _LEVEL * self._least.learn(least, points)
            if level > score:
                kind, judged, novelty, score = "least", least, self._least, level
            level = _LEVEL * self._greatest.learn(greatest, points)
            if level > score:
                kind, judged, novelty, score = "greatest", greatest, self._greatest, level
            level = _SPREAD * self._spread.learn(greatest - least, points)
            if level > score:
                kind, judged, novelty, score = "spread", greatest - least, self._spread, level
        score = self._hold_off.let_pass(score, points)
        if score <= 0.0:
            return
        if own >= 1.0:  # a value that is strange enough by itself is the plainest reason
            kind, judged, novelty = "value", value, self._value
        direction: Direction = "between"
        bound = novelty.nearest
        if judged > novelty.high:
            direction, bound = "above", novelty.high
        elif judged < novelty.low:
            direction, bound = "below", novelty.low
        self._raise(score, kind, direction, judged, bound, 1 if kind == "value" else _WINDOW)

    def _judge_run(self, value: float) -> None:
        """Return how much longer than ever before the metric has been constant."""
        if value == self._last:
            self._run += 1
            longest = self._flat.longest
            score = self._flat.score(self._run)
            if self._moves >= _LEAST_MOVES:
                self._raise(score, "flat", "above", value, longest, self._run)
            return
        self._flat.ended(self._run)
        self._run = 1
        self._moves += 1
        self._last = value

    def _judge_silence(self, silence: float, over: bool) -> None:
        """Return how much longer than ever before there was no value."""
        longest = self._missing.longest
        score = self._missing.score(silence)
        if over:
            self._missing.ended(silence if self.points >= _WINDOW else 0.0)  # before, the usual step is not yet known
        self._raise(score, "missing", "above", nan, longest, silence)

    def _raise(self, score: float, kind: Kind, direction: Direction, value: float, bound: float, run: float) -> None:
        """Keep the score and reason for this point if it is the greatest so far and the detector is warm."""
        if score > self._score and self.points > self.warm_up:
            self._score = score
            self._reason = Reason(kind, direction, value, bound, run, self.points, self._since, self._now)


def _checked(timestamp: float) -> float:
    if not isinstance(timestamp, Real):
        raise AnalysisError(
            f"the timestamp {timestamp!r} is not a number", hint="microseconds since the epoch, as the history has them"
        )
    return timestamp
