"""What differs between two runs, and what is noise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mega_data_factory.analytics.baseline import pass_rate_noise, usual_range
from mega_data_factory.analytics.comparison import Comparison, compare, most_changed
from mega_data_factory.analytics.config_diff import ABSENT, config_changes
from mega_data_factory.analytics.series.ratio import ratio_interval
from mega_data_factory.reports.comparison import comparison_sentences
from tests.made_runs import Op, Pool, made_config, recorded
from tests.present import present


def pools(cost: float = 0.005, reject: float = 0.1) -> list[Pool]:
    return [Pool("a", [Op("x", cost), Op("f_filter", 0.001, {"r": reject})])]


def two(tmp_path: Path, first: Sequence[Pool], second: Sequence[Pool], **options: Any) -> Comparison:
    before = recorded(tmp_path, first, "run_1", seed=1, **options)
    return compare(before, recorded(tmp_path, second, "run_2", seed=2, **options))


def test_an_operator_that_takes_longer_is_found(tmp_path: Path) -> None:
    """30 percent more seconds per record in noise of 10 percent are told from noise; the right operator is named."""
    found = two(tmp_path, pools(), pools(cost=0.0065), noise=0.1)
    slow = next(d for d in found.operators if d.operator.name == "x")
    assert slow.speed == "slower"
    cost = present(slow.cost)
    assert present(cost.low) < 1.3 < present(cost.high)
    assert [d.operator.name for d in most_changed(found)] == ["x"]


def test_two_runs_of_the_same_do_not_differ(tmp_path: Path) -> None:
    """Runs that differ by noise alone have no operator that is slower or faster, and no pass rate that changed."""
    found = two(tmp_path, pools(), pools(), noise=0.1)
    assert {d.speed for d in found.operators} <= {"same", "unclear"}
    assert not found.pass_changed
    assert found.same_configuration


def test_few_intervals_tell_nothing(tmp_path: Path) -> None:
    """Of a run with fewer than eight intervals no difference in speed is claimed, however large."""
    found = two(tmp_path, pools(), pools(cost=0.05), intervals=5)
    assert {d.speed for d in found.operators} == {"unclear"}


def test_a_pass_rate_that_changed_is_found(tmp_path: Path) -> None:
    """Five percentage points of ten thousand records are no chance."""
    found = two(tmp_path, pools(), pools(reject=0.15))
    assert found.pass_changed
    assert found.pass_points == pytest.approx(-5.0)


SOURCE = {"data_loader": {"type": "jsonl_loader", "params": {"path": "in"}}}


def test_of_the_same_source_every_difference_counts(tmp_path: Path) -> None:
    """The same 10,000 records, and 4 more rejected: far below chance of two samples, yet a change, told in counts."""
    config = {**made_config(pools()), **SOURCE}
    found = two(tmp_path, pools(reject=0.1), pools(reject=0.1004), config=config)
    assert found.same_source
    assert found.pass_changed
    assert not found.by_chance
    assert [(d.place, d.reason, d.before, d.after) for d in found.exits] == [("a / f_filter", "r", 1000, 1004)]
    words = " ".join(comparison_sentences(found))
    assert "Kept 8,996 of 10,000 records, before 9,000 of 10,000, read from the same source" in words
    assert "Rejected for r in a / f_filter: 1,004, before 1,000." in words
    assert "chance" not in words


def test_another_source_is_a_sample(tmp_path: Path) -> None:
    """The same four records between runs of different sources are within chance, and only then is chance named."""
    before = recorded(tmp_path, pools(reject=0.1), "run_1", config={**made_config(pools()), **SOURCE})
    other = {"data_loader": {"type": "jsonl_loader", "params": {"path": "other"}}}
    after = recorded(tmp_path, pools(reject=0.1004), "run_2", config={**made_config(pools()), **other})
    found = compare(before, after)
    assert (found.same_source, found.by_chance, found.pass_changed) == (False, True, False)
    assert "by chance" in " ".join(comparison_sentences(found))


def test_chance_is_not_named_beside_an_operator_that_changed(tmp_path: Path) -> None:
    """Two operators that changed in opposite ways leave the overall pass rate alike: no word of chance is said."""
    first = [Pool("a", [Op("f", 0.005, {"r": 0.2}), Op("g", 0.005, {"q": 0.1})])]
    second = [Pool("a", [Op("f", 0.005, {"r": 0.1}), Op("g", 0.005, {"q": 0.2})])]
    found = two(tmp_path, first, second)
    assert found.pass_points == pytest.approx(0.0)
    assert [d.pass_changed for d in found.operators] == [True, True]
    words = " ".join(comparison_sentences(found))
    assert "chance" not in words
    assert "Rejected for r in a / f: 1,000, before 2,000" in words


def test_a_failed_run_is_not_the_same_source(tmp_path: Path) -> None:
    """Of a run that did not complete, an equal number of records need not be the same records."""
    config = {**made_config(pools()), **SOURCE}
    before = recorded(tmp_path, pools(), "run_1", config=config)
    after = recorded(tmp_path, pools(), "run_2", config=config, status="failed")
    assert not compare(before, after).same_source


def test_operators_of_one_run_only_are_kept(tmp_path: Path) -> None:
    """An operator that came, and one that went, are told as such."""
    found = two(tmp_path, pools(), [Pool("a", [Op("x", 0.005), Op("new")])])
    sides = {d.operator.name: (d.before is not None, d.after is not None) for d in found.operators}
    assert sides == {"x": (True, True), "new": (False, True), "f_filter": (True, False)}


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Of 200 pairs of the same rate, the 95 percent interval leaves out 1 in few."""
    draw = np.random.default_rng(5)
    misses = 0
    for _ in range(200):
        sides = [(draw.lognormal(0, 0.3, 60), np.ones(60)) for _ in range(2)]
        low, high = ratio_interval(*sides)
        misses += not present(low) <= 1 <= present(high)
    assert misses <= 24


def test_the_interval_is_the_same_every_time() -> None:
    """The same numbers give the same interval: the resampling is seeded."""
    side = np.arange(1.0, 31.0), np.ones(30)
    assert ratio_interval(side, side) == ratio_interval(side, side)


# ── configurations ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_changed_keys_go_by_name() -> None:
    """A key that changed is named with the names of the stage and operator it is in."""
    before = {"stages": [{"name": "a", "operators": [{"name": "f", "params": {"min": 1}}]}]}
    after = {"stages": [{"name": "a", "operators": [{"name": "f", "params": {"min": 2, "max": 9}}]}]}
    changes = {change.key: (change.before, change.after) for change in config_changes(before, after)}
    assert changes == {
        "stages[a].operators[f].params.min": ("1", "2"),
        "stages[a].operators[f].params.max": (ABSENT, "9"),
    }


def test_operators_of_one_name_stay_apart() -> None:
    """Two operators of one name are two entries."""
    config = {"operators": [{"name": "f", "n": 1}, {"name": "f", "n": 2}]}
    assert [c.key for c in config_changes({}, config)] == [
        "operators[f].name", "operators[f].n", "operators[f#2].name", "operators[f#2].n",
    ]  # fmt: skip


def test_where_things_are_put_does_not_matter() -> None:
    """Another output folder is shown as a change and is no other work."""
    config = made_config(pools())
    other = {**config, "data_writer": {"type": "parquet_writer", "params": {"output_path": "elsewhere"}}}
    assert not any(change.matters for change in config_changes(config, other))
    assert len(config_changes(config, other)) == 1
    changes = config_changes(config, {**config, "executor": {"batch_size": 5}})
    assert any(change.matters for change in changes)


# ── what is usual ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_few_runs_do_not_say_what_is_usual() -> None:
    """Three earlier runs are too few."""
    assert usual_range([1.0, 2.0, 3.0]) is None


def test_one_outlier_does_not_widen_what_is_usual() -> None:
    """The range comes from the middle of the runs, not from their extremes."""
    usual = present(usual_range([50.0, 50.5, 49.5, 50.2, 49.8, 5.0]))
    assert usual.contains(50.4)
    assert not usual.contains(40.0)


def test_chance_alone_moves_a_pass_rate_by_its_standard_error() -> None:
    """Three standard errors of half of a hundred records are 15 points, and of a million hardly any."""
    assert pass_rate_noise(50, 100) == pytest.approx(15)
    assert pass_rate_noise(50, 1_000_000) < 0.2
