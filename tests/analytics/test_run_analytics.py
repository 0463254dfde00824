"""Filter order, skew, latency, flow and series of runs."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from mega_data_factory.analytics.baseline import pass_rate_noise
from mega_data_factory.analytics.comparison.runs import _beyond_chance
from mega_data_factory.analytics.performance.filter_order import better_orders, expected_seconds, is_filter, rank
from mega_data_factory.analytics.performance.skew import stragglers, uneven_work
from mega_data_factory.analytics.runs.flow import NO_REASON, flow_of, steps_of
from mega_data_factory.analytics.runs.latency import density, long_tails, slow_share
from mega_data_factory.analytics.runs.series import operator_series, stage_series
from mega_data_factory.analytics.runs.totals import OperatorTotals, StageTotals
from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.visualization.charts.flow import funnel, sankey
from tests.made_runs import START, Op, Pool, make_run, recorded


def totals(name: str, cost: float, passed: float, records: int = 1000) -> OperatorTotals:
    return OperatorTotals("s", name, 0, 0, 1, records, round(records * passed), 0, 0, records * cost)


# ── the order of filters ──────────────────────────────────────────────────────────────────────────────────────────────


def test_no_order_is_cheaper_than_by_rank() -> None:
    """Of all orders of independent filters the one by rank has the least expected cost."""
    draw = random.Random(3)
    for _ in range(20):
        filters = [totals(f"f{n}", draw.uniform(1e-4, 1e-2), draw.uniform(0.05, 1)) for n in range(5)]
        costs = [expected_seconds(order, 1000) for order in itertools.permutations(filters)]
        assert expected_seconds(sorted(filters, key=rank), 1000) == pytest.approx(min(costs))


def test_a_better_order_is_found_and_its_saving_is_right(tmp_path: Path) -> None:
    """The cheap strict filter goes first, and what that saves is said in seconds."""
    dear, strict = Op("dear_filter", 0.01, {"x": 0.1}), Op("strict_filter", 0.001, {"y": 0.5})
    run = recorded(tmp_path, [Pool("a", [dear, strict], workers=1)], records=2000, noise=0)
    (order,) = better_orders(run.stages)
    assert order.better == ("strict_filter", "dear_filter")
    assert order.seconds == pytest.approx(2000 * 0.01 + 1800 * 0.001)
    assert order.saved == pytest.approx(order.seconds - (2000 * 0.001 + 1000 * 0.01))


@pytest.mark.parametrize("between", ["exact_deduplicator", "language_refiner"])
def test_nothing_is_moved_across_what_does_not_commute(tmp_path: Path, between: str) -> None:
    """Filters that a deduplicator or a refiner parts are never exchanged."""
    dear, strict = Op("dear_filter", 0.01, {"x": 0.1}), Op("strict_filter", 0.001, {"y": 0.5})
    assert not better_orders(recorded(tmp_path, [Pool("a", [dear, Op(between), strict])]).stages)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("url_filter", True), ("url_filter_2", True), ("ShoutingFilter", True), ("language_refiner", False),
     ("exact_deduplicator", False), ("filtering", False)],
)  # fmt: skip
def test_filters_are_told_by_name(name: str, is_one: bool) -> None:
    """What is in the box is known, and other classes by the word that they end with."""
    assert is_filter(name) is is_one


# ── workers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_slow_worker_is_found(tmp_path: Path) -> None:
    """A worker that needs twice as long as the others is a straggler, and costs its share of the stage."""
    run = recorded(tmp_path, [Pool("a", [Op("x", 0.005)], workers=4, slow=2.0)], noise=0.01)
    (found,) = stragglers(run.stages)
    assert found.worker == "a-3"
    assert found.times == pytest.approx(2.0, rel=0.05)
    assert found.capacity_lost == pytest.approx(0.125, rel=0.05)


def test_like_workers_are_no_finding(tmp_path: Path) -> None:
    """Workers that differ by noise alone are neither slow nor uneven."""
    run = recorded(tmp_path, [Pool("a", [Op("x", 0.005)], workers=16)], noise=0.3)
    assert not stragglers(run.stages)
    assert not uneven_work(run.stages)


def test_few_batches_do_not_make_a_straggler(tmp_path: Path) -> None:
    """Of fewer than 20 batches a worker is not called slow, however slow they were."""
    run = recorded(tmp_path, [Pool("a", [Op("x", 0.01)], workers=4, slow=3.0)], intervals=19)
    assert not stragglers(run.stages)


def test_long_documents_in_few_batches_do_not_make_a_straggler(tmp_path: Path) -> None:
    """A worker whose mean is twice the others', by some heavy batches, and whose median is theirs is not slow."""
    run = recorded(tmp_path, [Pool("a", [Op("x", 0.01)], workers=4, slow=2.0)], intervals=40)
    (stage,) = run.stages
    usual = stage.workers[0].median
    heavy = replace(stage, workers=tuple(replace(worker, median=usual) for worker in stage.workers))
    assert stragglers([stage])
    assert not stragglers([heavy])


def test_longer_documents_do_not_make_a_straggler(tmp_path: Path) -> None:
    """A worker that needs twice as long for a record and got twice the bytes is as fast as the others."""
    run = recorded(tmp_path, [Pool("a", [Op("x", 0.01)], workers=4, slow=2.0)], intervals=40)
    (stage,) = run.stages

    def with_bytes(*sizes: int) -> StageTotals:
        return replace(stage, workers=tuple(replace(w, size=s) for w, s in zip(stage.workers, sizes, strict=True)))

    assert stragglers([with_bytes(1000, 1000, 1000, 1000)])
    assert not stragglers([with_bytes(1000, 1000, 1000, 2000)])


def test_neighbours_that_take_the_cpu_now_and_then_do_not_make_a_straggler(tmp_path: Path) -> None:
    """A worker of which two thirds of the batches were held up, and the others as fast as ever, is not slow."""
    (stage,) = recorded(tmp_path, [Pool("a", [Op("x", 0.01)], workers=2, slow=3.0)], intervals=60).stages
    usual, slow = stage.workers
    held_up = replace(
        slow,
        buckets=np.concatenate([usual.buckets, slow.buckets]),
        counts=np.concatenate([usual.counts, 2 * slow.counts]),
    )
    assert held_up.lower_quartile == pytest.approx(usual.median, rel=0.2)
    assert stragglers([stage])
    assert not stragglers([replace(stage, workers=(usual, held_up))])


def test_a_slow_worker_needs_evidence(tmp_path: Path) -> None:
    """Batches that scatter over decades do not tell two workers of 20 batches apart; those of 400 do."""
    pools = [Pool("a", [Op("x", 0.01)], workers=2, slow=2.0)]
    few = recorded(tmp_path / "few", pools, intervals=20, noise=1.5, seed=2, records=4000)
    many = recorded(tmp_path / "many", pools, intervals=400, noise=0.5, seed=2, records=40_000)
    assert not stragglers(few.stages)
    (found,) = stragglers(many.stages)
    assert found.sigmas > 4
    assert found.batches == 400


def test_uneven_work_is_found(tmp_path: Path) -> None:
    """A worker with most of the records was busy longer than the others."""
    run = recorded(tmp_path, [Pool("a", [Op("x", 0.005)], workers=4, share=0.6)], noise=0.01)
    (found,) = uneven_work(run.stages)
    assert (found.worker, found.share, found.fair) == ("a-3", 0.6, 0.25)


# ── latency ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_density_holds_all_records(tmp_path: Path) -> None:
    """The shares of the bins add up to 100 percent, and their middles rise."""
    run = recorded(tmp_path, [Pool("a", [Op("x")])], noise=1.0)
    middles, shares = density(run.stages[0].operators[0])
    assert shares.sum() == pytest.approx(100)
    assert (np.diff(middles) > 0).all()


def test_a_long_tail_takes_the_time() -> None:
    """One record in a hundred that takes a hundred times as long takes half of the time."""
    operator = OperatorTotals(
        "s", "x", 0, 0, 1, 10_000, 10_000, 0, 0, 20.0, 1000, {}, np.array([0, 425]), np.array([9_899, 101])
    )
    assert slow_share(operator) == pytest.approx(0.5, rel=0.02)
    assert [tail.operator for tail in long_tails([operator])] == [operator]
    assert not long_tails([replace(operator, batches=200)])  # of these, two batches would be the tail
    assert not long_tails([operator, totals("heavy", 1.0, 1.0)])  # it would save 1 % of the run


# ── flow ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_record_of_a_run_has_an_end(tmp_path: Path) -> None:
    """What was read is what was written and what left, whatever the reasons."""
    pools = [Pool("a", [Op("f_filter", reasons={"x": 0.1, "y": 0.03}, errors=0.01)]), Pool("b", [Op("g")])]
    flow = flow_of(recorded(tmp_path, pools))
    assert flow.read == flow.written + sum(exit.records for exit in flow.exits)
    assert flow.open == 0
    assert {(exit.kind, exit.reason) for exit in flow.exits} == {
        ("rejected", "x"),
        ("rejected", "y"),
        ("error", "raised"),
    }


def test_records_that_an_operator_creates_come_in_beside_those_of_the_source(tmp_path: Path) -> None:
    """Read and created records are what was written and what left; rejects stay those that were rejected."""
    pools = [Pool("a", [Op("chunk", reasons={"empty": 0.1}, errors=0.01, created=2.0), Op("g", reasons={"x": 0.5})])]
    recording = recorded(tmp_path, pools)
    flow = flow_of(recording)
    assert (flow.read, flow.created, flow.open) == (10_000, 20_000, 0)
    assert flow.read + flow.created == flow.written + sum(exit.records for exit in flow.exits)
    assert {exit.reason: exit.records for exit in flow.exits} == {"empty": 1000, "raised": 100, "x": 14_450}
    (step,) = steps_of(flow, 1)
    assert (step.created, step.rejected, step.errors) == (20_000, 15_450, 100)
    drawn = sankey(flow).data[0]
    came = {label for label in drawn.node.label if label.startswith("created")}
    assert came == {"created 20.0 k"}
    at = list(drawn.node.label).index("created 20.0 k")
    assert [value for source, value in zip(drawn.link.source, drawn.link.value, strict=True) if source == at] == [
        20_000
    ]
    assert all(value >= 0 for bar in funnel(flow).data for value in bar.x)


def test_a_rate_over_100_percent_varies_by_chance_too() -> None:
    """Where records are created the output varies from record to record: a small difference is not one."""
    assert pass_rate_noise(230.0, 100) > 30.0
    assert not _beyond_chance(1000, 2300, 1000, 2310)
    assert _beyond_chance(1000, 2300, 1000, 3300)


def test_rejects_without_a_reason_are_not_lost(tmp_path: Path) -> None:
    """What an operator took away without a reason is shown as that."""
    run = recorded(tmp_path, [Pool("a", [Op("f_filter", reasons={"x": 0.1})])])
    bare = run.operators.drop_columns(["rejected_reasons"]).append_column(
        "rejected_reasons", [[None] * len(run.operators)]
    )
    (left,) = flow_of(replace(run, operators=bare)).exits
    assert (left.reason, left.records) == (NO_REASON, 1000)


# ── series ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("points", [600, 7, 1])
def test_series_keep_every_record_however_few_their_points(tmp_path: Path, points: int) -> None:
    """Samples that are put together add up to the counts of the run."""
    run = recorded(tmp_path, [Pool("a", [Op("x"), Op("y", reasons={"r": 0.5})]), Pool("b", [Op("z")])])
    each = operator_series(run, points)
    assert all(len(series.starts) <= points for series in each.values())
    assert each["a", "x"].columns["input_records"].sum() == 10_000
    stages = stage_series(run, points)
    assert stages["a"].columns["input_records"].sum() == 10_000
    assert stages["a"].columns["output_records"].sum() == pytest.approx(5_000, abs=40)
    assert np.nansum(stages["b"].throughput * stages["b"].seconds) == pytest.approx(5_000, abs=40)


def test_a_run_without_samples_has_no_series(tmp_path: Path) -> None:
    """Files of old versions have no samples: there is nothing over time, and no error."""
    run = recorded(tmp_path, [Pool("a", [Op("x")])], samples=False)
    assert not stage_series(run)
    assert not operator_series(run)


def test_a_slow_worker_is_not_called_uneven(tmp_path: Path) -> None:
    """A worker that was busy longer with an even share is slow: smaller batches would not help."""
    run = recorded(tmp_path, [Pool("a", [Op("x", 0.005)], workers=4, slow=2.0)], noise=0.01)
    assert not uneven_work(run.stages)


@pytest.mark.parametrize(("most", "names"), [(10, ["x", "y", "z"]), (2, ["a", "b"])])
def test_many_operators_are_taken_by_stage(tmp_path: Path, most: int, names: Sequence[str]) -> None:
    """Where there are more operators than wanted the steps are the stages, and no record is lost of them."""
    flow = flow_of(recorded(tmp_path, [Pool("a", [Op("x", reasons={"r": 0.1}), Op("y")]), Pool("b", [Op("z")])]))
    steps = steps_of(flow, most)
    assert [step.name for step in steps] == names
    assert all(s.input - s.output == sum(exit.records for exit in s.exits) for s in steps)


def test_samples_can_be_read_without_their_histograms(tmp_path: Path) -> None:
    """Chosen columns are those of all samples, also where a time is asked for; what says where and when comes along."""
    run_id = make_run(tmp_path, [Pool("a", [Op("x")])])
    reader = MetricsReader(tmp_path)
    since = START + timedelta(seconds=20)
    few, all_of_them = reader.samples(run_id, since=since, columns=["busy_time"]), reader.samples(run_id, since=since)
    assert "latency_histogram" not in few.column_names
    assert {"busy_time", "timestamp", "stage_name", "operator_name"} <= set(few.column_names)
    assert few["busy_time"].to_pylist() == all_of_them["busy_time"].to_pylist() != []
