"""Anomalous points of a series, as they arrive and over a history."""

from __future__ import annotations

import itertools
import math
import pickle
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import pytest

from mega_data_factory.analytics.anomaly import AnomalyDetector, detect, node_anomaly_rate
from mega_data_factory.errors import AnalysisError
from tests.present import present

SECOND = 1_000_000
START = 1_700_000_000 * SECOND


def steady(points: int = 1_000, seed: int = 1) -> list[float]:
    """CPU of a node at work: around 50 %, never above 62."""
    chance = random.Random(seed)
    return [50 + 8 * math.sin(second / 8) + chance.uniform(-4, 4) for second in range(points)]


def alarms(values: Sequence[float], timestamps: Sequence[int] | None = None, **options: Any) -> list[int]:
    return [int(place) for place in detect(values, timestamps, **options).alarms]


def at_each_second(points: int) -> list[int]:
    return [START + second * SECOND for second in range(points)]


def test_a_value_beyond_all_seen_is_an_alarm_with_a_reason_in_words() -> None:
    """The reason names the metric, the node, the value, how far it lies outside, and how long that was watched."""
    detector = AnomalyDetector()
    for second in range(6 * 3600 // 10):
        detector.update(50 + (second * 7 % 13) * 3, START + second * 10 * SECOND)
    score = detector.update(98, START + 6 * 3600 * SECOND)
    assert score >= detector.threshold
    reason = present(detector.reason())
    assert (reason.kind, reason.direction, reason.value, reason.bound) == ("value", "above", 98, 86)
    assert reason.excess == pytest.approx(12 / 86)
    words = reason.text("cpu_usage", "node-2", "%")
    assert words == "cpu_usage on node-2 reached 98 %, 14 % above anything seen in 6 h"


def test_a_series_as_always_is_ordinary() -> None:
    """A constant, and steps between known levels, raise nothing; noise less than one alarm in 1,000 points."""
    assert alarms([7.0] * 3_000) == []
    assert alarms([second // 20 % 3 for second in range(3_000)]) == []
    assert sum(len(alarms(steady(3_000, seed))) for seed in range(10)) < 30


def test_one_incident_is_one_alarm() -> None:
    """While a value stays at its new level nothing more is raised; a clearly worse one is raised again."""
    values = steady()
    found = alarms([*values, *[90.0, 91.0, 90.5, 91.2] * 5])
    assert found[0] == len(values)
    assert len(found) == 1
    assert alarms([*values, 66.0, 66.0, 300.0])[-1] == len(values) + 2


def test_a_level_that_is_held_is_strange_though_its_values_are_not() -> None:
    """A metric that peaks now and then, for a few points, and this time stays there, has done so for too long."""
    chance = random.Random(6)
    calm = [chance.uniform(80, 90) if point % 60 < 5 else chance.uniform(5, 15) for point in range(2_000)]
    held = [chance.uniform(80, 90) for _ in range(60)]
    for values, kind, direction in (
        ([*calm, *held], "least", "above"),
        ([-v for v in [*calm, *held]], "greatest", "below"),
    ):
        found = detect(values)
        reason = found.reasons[found.alarms[-1]]
        assert 2_000 < found.alarms[-1] <= 2_048
        assert (reason.kind, reason.direction, reason.run) == (kind, direction, 48)
        assert "stayed at" in reason.text("memory_usage")


def test_a_frozen_metric_is_an_anomaly_with_its_own_reason() -> None:
    """A metric that moved at every point and then stands still is told after 30 points, and whenever that doubles."""
    values = steady()
    found = detect([*values, *[values[-1]] * 150])
    runs = [found.reasons[at] for at in found.alarms if found.reasons[at].kind == "flat"]
    assert [reason.run for reason in runs] == [30, 60, 120]
    assert "has stood still at" in runs[0].text("cpu_usage", "node-1")


def test_a_metric_that_often_stands_still_may_do_so() -> None:
    """A run is measured by the longest before it: where 100 equal values are usual, 300 are no anomaly and 500 are."""
    chance = random.Random(3)
    values = [chance.choice([4.0, 5.0, 6.0]) + level % 2 for level in range(60) for _ in range(100)]
    longest = max(len(list(run)) for run in runs_of(values))
    assert alarms([*values, *[values[-1]] * (2 * longest)]) == alarms(values)
    assert len(alarms([*values, *[values[-1]] * (5 * longest)])) > len(alarms(values))


def runs_of(values: Sequence[float]) -> Iterator[list[float]]:
    run: list[float] = []
    for value in values:
        if run and run[-1] != value:
            yield run
            run = []
        run.append(value)
    yield run


def test_missing_values_are_an_anomaly_with_their_own_reason() -> None:
    """Ten points in a row without a value are told, by whatever name nothing goes; a few are not."""
    for nothing in (None, math.nan, math.inf, -math.inf, 10**400):
        detector = AnomalyDetector()
        for value in steady():
            detector.update(value)
        scores = [detector.update(nothing) for _ in range(10)]
        assert max(scores[:9]) < detector.threshold <= scores[9]
        reason = present(detector.reason())
        assert reason.kind == "missing"
        assert reason.text("cpu_usage", "node-1") == (
            "cpu_usage on node-1 has had no value for 10 steps, never for more than 0 before in 1,000 points"
        )


def test_time_without_any_point_is_missing_data() -> None:
    """When a node that reported each second is silent for a minute, its next point says so, however ordinary it is."""
    values = steady(601)
    times = [*at_each_second(600), START + 660 * SECOND]
    found = detect(values, times)
    assert found.alarms.tolist() == [600]
    assert found.reasons[600].kind == "missing"
    assert found.reasons[600].run == pytest.approx(60)
    assert alarms(values) == []


def test_pauses_that_are_usual_are_none() -> None:
    """A series that is sampled irregularly, or misses points again and again, is measured by its own longest pause."""
    chance = random.Random(5)
    times, now = [], START
    for _ in range(2_000):
        now += SECOND * (20 if chance.random() < 0.02 else 1)
        times.append(now)
    assert [at for at, reason in detect(steady(2_000), times).reasons.items() if reason.kind == "missing"] == []


@pytest.mark.parametrize("first", [1_000, 3_600 * SECOND])
def test_the_first_step_may_be_anything(first: int) -> None:
    """Two points a millisecond or an hour apart at the start make no other silence usual, or strange."""
    times = [START, *[START + first + second * SECOND for second in range(599)]]
    times.append(times[-1] + 60 * SECOND)
    found = detect(steady(601), times)
    assert found.alarms.tolist() == [600]
    assert found.reasons[600].run == pytest.approx(59, rel=0.06)


def test_times_that_stand_still_or_run_back_do_no_harm() -> None:
    """A point that is not later than the last counts as of the same moment."""
    values = steady(600)
    times = at_each_second(600)
    times[300], times[400] = times[299], START
    assert alarms(values, times) == alarms(values)


def test_history_and_stream_agree_exactly() -> None:
    """A history, whole or in two pieces with a pickled detector between them, has the scores of point by point."""
    values = [*steady(700), math.nan, *steady(200, seed=2), 95.0, *steady(200, seed=3), *[41.0] * 70]
    times = at_each_second(len(values))
    live = AnomalyDetector()
    scores = [live.update(value, moment) for value, moment in zip(values, times, strict=True)]
    whole = detect(np.array(values), np.array(times, dtype="int64").astype("datetime64[us]"))
    assert whole.scores.tolist() == scores
    first = AnomalyDetector()
    head = detect(values[:905], times[:905], detector=first)
    tail = detect(values[905:], times[905:], detector=pickle.loads(pickle.dumps(first)))
    assert [*head.scores, *tail.scores] == scores
    assert set(whole.reasons) == set(whole.alarms) == {*head.reasons, *(905 + at for at in tail.reasons)}
    assert {whole.reasons[at].kind for at in whole.alarms} >= {"value", "flat"}


def test_nothing_is_known_before_the_warm_up_is_over() -> None:
    """The first points score 0 whatever they are; how many is a parameter."""
    values = [1.0, 1000.0, -5.0, 1e9] * 10
    assert detect(values).scores.max() == 0
    detector = AnomalyDetector(warm_up=2)
    assert [detector.update(value) > 0 for value in (1.0, 1.1, 50.0)] == [False, False, True]


def test_sensitivity_moves_the_threshold_and_nothing_else() -> None:
    """More sensitive means no fewer alarms, among them all of the less sensitive; the scores are the same."""
    values = [*steady(), 75.0, *steady(300, seed=4), 64.0, *steady(300, seed=5), 250.0]
    results = [detect(values, sensitivity=sensitivity) for sensitivity in (0.05, 0.3, 0.5, 0.7, 0.95)]
    thresholds = [result.threshold for result in results]
    assert thresholds == sorted(thresholds, reverse=True)
    assert thresholds[2] == 1.0
    for less, more in itertools.pairwise(results):
        assert set(less.alarms) <= set(more.alarms)
        assert (less.scores == more.scores).all()
    assert len(results[0].alarms) < len(results[-1].alarms)


@pytest.mark.parametrize("sensitivity", [0, 1, -0.5, 2, math.nan])
def test_a_sensitivity_outside_0_and_1_is_refused(sensitivity: float) -> None:
    """The error says what would be right."""
    with pytest.raises(AnalysisError, match="between 0 and 1"):
        AnomalyDetector(sensitivity)


@pytest.mark.parametrize("value", ["98", [1.0], 1j])
def test_what_is_no_number_is_refused(value: Any) -> None:
    """A text that looks like a number is a mistake of the caller, not a missing value."""
    with pytest.raises(AnalysisError, match="not a number"):
        AnomalyDetector().update(value)


def test_histories_of_unlike_shapes_are_refused() -> None:
    """One timestamp for each value; one series at a time; numbers only; a time that is a number."""
    with pytest.raises(AnalysisError, match="one timestamp for each value"):
        detect([1.0, 2.0], [START])
    with pytest.raises(AnalysisError, match="one series at a time"):
        detect([[1.0, 2.0]])
    with pytest.raises(AnalysisError, match="not numbers"):
        detect(["a", "b"])
    with pytest.raises(AnalysisError, match="timestamp"):
        AnomalyDetector().update(1.0, cast("int", "2026-01-01"))


def test_scale_and_offset_do_not_matter() -> None:
    """The same metric in bytes or in gibibytes has the same alarms."""
    values = [*steady(), 75.0, *steady(300, seed=4), 20.0]
    bytes_ = [value * 2**30 for value in values]
    assert alarms(bytes_) == alarms(values) != []
    assert alarms([-value for value in values]) == alarms(values)


@pytest.mark.parametrize(
    "extreme",
    [
        [1e300, -1e300] * 200,
        [5e-324, 0.0] * 200,
        [1e300, *[5e-324, 0.0] * 200, 1e300],
        [*[0.0, 5e-324] * 100, 1e300],
        [0, True, 2**70, np.float32(3), np.int64(4)] * 50,
    ],
)
def test_extreme_numbers_give_finite_scores(extreme: Sequence[Any]) -> None:
    """The largest and the smallest floats, integers of any size, booleans and numpy's numbers are numbers."""
    detector = AnomalyDetector(warm_up=1)
    assert all(0 <= detector.update(value) < math.inf for value in extreme)


def test_memory_is_bounded() -> None:
    """After 50,000 points of pure noise on a drift the whole state is less than 40 KB."""
    chance = random.Random(9)
    detector = AnomalyDetector()
    for point in range(50_000):
        detector.update(chance.gauss(0, 1) + point * 1e-3, START + point * SECOND)
    assert len(pickle.dumps(detector)) < 40_000


def test_the_detector_needs_only_the_standard_library() -> None:
    """Who watches a metric on a worker does not load numpy."""
    program = (
        "import sys; from mega_data_factory.analytics import AnomalyDetector; AnomalyDetector().update(1.0);"
        "sys.exit('numpy' in sys.modules or 'pyarrow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_anomaly_rate_of_a_node_is_the_share_of_its_metrics() -> None:
    """An alarm counts for the window after it, its moment included; a metric without alarms counts as one too."""
    minute = 60 * SECOND
    alarm_times = [[START], [START + 30 * SECOND, START + 31 * SECOND], [], []]
    moments = [START - 1, START, START + 30 * SECOND, START + minute, START + 2 * minute]
    assert node_anomaly_rate(alarm_times, moments, minute).tolist() == [0, 0.25, 0.5, 0.25, 0]
    with pytest.raises(AnalysisError, match="at least one metric"):
        node_anomaly_rate([], moments)
    with pytest.raises(AnalysisError, match="window"):
        node_anomaly_rate(alarm_times, moments, 0)


def test_words_follow_the_evidence() -> None:
    """Values within the range are called unlike any seen; units and formats are the caller's; 0 has no percentage."""
    found = detect([*[0.0, 10.0, 0.1, 9.9, 0.2] * 100, 5.0])
    between = found.reasons[500]
    assert between.text("load") == "load took the value 5, unlike any seen in 501 points (the nearest was 0.2)"
    assert between.excess is None
    assert between.text("load", number=lambda value: f"<{value}>").startswith("load took the value <5.0>")
    idle = detect([*[-1.0, -0.5, -0.25, 0.0] * 100, 4.0]).reasons[400]
    assert idle.text("gpu_usage", "node-1", "%") == "gpu_usage on node-1 reached 4 %, above anything seen in 401 points"
