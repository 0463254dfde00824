"""What is said of a run, and in which order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mega_data_factory.analytics.findings import SEVERITIES, find
from mega_data_factory.analytics.findings.finding import Finding
from mega_data_factory.analytics.runs.earlier_runs import EarlierRuns
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.testing import finished_run
from tests.made_runs import START, Op, Pool, make_run, recorded
from tests.present import present

PLAIN = [Pool("a", [Op("x", 0.005), Op("f_filter", 0.001, {"short": 0.1})])]


def kinds(recording: Recording, past: EarlierRuns | None = None) -> dict[str, Finding]:
    return {finding.kind: finding for finding in find(recording, past)}


def with_past(tmp_path: Path, pools: Sequence[Pool], earlier: int = 6, **options: Any) -> tuple[Recording, EarlierRuns]:
    """A run, and earlier ones of the same pipeline that were all plain."""
    for number in range(earlier):
        make_run(tmp_path, PLAIN, f"run_{number}", seed=number, start=START - timedelta(days=earlier - number))
    recording = recorded(tmp_path, pools, "run_now", seed=99, **options)
    return recording, EarlierRuns.read(MetricsReader(tmp_path), recording)


def test_a_good_run_gets_no_warning(tmp_path: Path) -> None:
    """A run like its earlier ones, whose books balance, gives advice at most."""
    found = find(*with_past(tmp_path, PLAIN))
    assert {finding.severity for finding in found} <= {"advice", "good"}
    assert "The books balance" in " ".join(finding.title for finding in found)


def test_the_most_pressing_comes_first(tmp_path: Path) -> None:
    """Findings are ordered by severity."""
    recording = recorded(tmp_path, PLAIN, status="failed", error="disk full", balanced=False, unbalanced_records=3)
    order = [SEVERITIES.index(finding.severity) for finding in find(recording)]
    assert order == sorted(order)
    assert find(recording)[0].title == "The run failed"
    assert "disk full" in find(recording)[0].detail


def test_open_books_are_critical(tmp_path: Path) -> None:
    """Records that are not accounted for are told with their number."""
    found = kinds(recorded(tmp_path, PLAIN, balanced=False, unbalanced_records=3))
    assert found["books"].severity == "critical"
    assert "3 records not accounted for" in found["books"].title


@pytest.mark.parametrize("status", ["failed", "interrupted", "running", "aborted"])
def test_every_ending_is_told(tmp_path: Path, status: str) -> None:
    """A run that did not complete says so before anything else of its kind."""
    assert kinds(recorded(tmp_path, PLAIN, status=status))["ending"].evidence["status"] == status


def test_a_killed_run_is_told_as_such(tmp_path: Path) -> None:
    """A run that says running and has not been heard of is reported as killed."""
    recording = recorded(tmp_path, PLAIN, status="running", end_time=None, heartbeat=START + timedelta(seconds=50))
    assert kinds(recording)["ending"].title == "The run was killed before its end"
    assert recording.seconds == 50


def test_a_pass_rate_off_its_usual_range_is_a_warning(tmp_path: Path) -> None:
    """Half of the records kept where nine of ten are usual: the run and the operator are named."""
    found = kinds(*with_past(tmp_path, [Pool("a", [Op("x", 0.005), Op("f_filter", 0.001, {"short": 0.5})])]))
    assert found["pass-rate"].severity == "warning"
    assert "a / f_filter passed 50.0 %" in found["pass-rate"].detail


def test_operators_that_even_out_are_found_too(tmp_path: Path) -> None:
    """Where one operator lets more through and the next less, the total is usual and the operators are not."""
    found = [
        f.kind for f in find(*with_past(tmp_path, [Pool("a", [Op("x", 0.005, {"n": 0.1}), Op("f_filter", 0.001)])]))
    ]
    assert "pass-rate" not in found
    assert found.count("operator-pass-rate") == 2


def test_a_slow_run_is_a_warning(tmp_path: Path) -> None:
    """Three times the usual duration is told, with what is usual."""
    recording, past = with_past(tmp_path, PLAIN, duration=300.0, end_time=START + timedelta(seconds=300))
    assert "slower than usual" in kinds(recording, past)["throughput"].title


def test_slower_than_the_run_before(tmp_path: Path) -> None:
    """Operators that take longer for a record are named as the cause."""
    pools = [Pool("a", [Op("x", 0.01), Op("f_filter", 0.001, {"short": 0.1})])]
    recording, past = with_past(tmp_path, pools, earlier=1, records=5_000)
    found = kinds(recording, past)["previous-run"]
    assert found.severity == "warning"
    assert "a / x takes" in found.detail


def test_errors_and_dead_letters_are_told(tmp_path: Path) -> None:
    """A share of errors of one percent is a warning, and names the operator."""
    found = kinds(recorded(tmp_path, [Pool("a", [Op("x", errors=0.02)])], dead_lettered_records=2))
    assert found["errors"].severity == "warning"
    assert "a / x" in found["errors"].detail
    assert found["dead-letters"].title.startswith("2 records killed their workers")


def test_nothing_kept_names_the_operator(tmp_path: Path) -> None:
    """The operator that let nothing through is the one to look at."""
    found = kinds(recorded(tmp_path, [Pool("a", [Op("x"), Op("f_filter", reasons={"all": 1.0}), Op("y")])]))
    assert found["nothing-kept"].severity == "critical"
    assert "f_filter" in found["nothing-kept"].detail


def test_nothing_read_points_at_the_loader(tmp_path: Path) -> None:
    """A completed run without a record points at the path of the loader."""
    assert "data_loader.params" in kinds(recorded(tmp_path, PLAIN, records=0))["nothing-read"].suggestion


def test_nodes_that_run_short_are_told(tmp_path: Path) -> None:
    """Memory nearly full is a warning and names the node."""
    recording = recorded(tmp_path, PLAIN, nodes=[50.0, 60.0])
    nodes = recording.nodes.set_column(
        recording.nodes.schema.get_field_index("memory_usage"), "memory_usage", [[97.0] * len(recording.nodes)]
    )
    full = Recording(recording.run, recording.operators, recording.samples, nodes)
    assert "2 nodes" in kinds(full)["node-memory_usage"].title


def test_dear_measuring_is_advice(tmp_path: Path) -> None:
    """What measuring cost is told, and is advice only where it is more than one percent of the work."""
    assert kinds(recorded(tmp_path, PLAIN))["instrumentation"].severity == "good"
    dear = recorded(tmp_path, PLAIN, "run_2", instrumentation_seconds=9.0)
    assert kinds(dear)["instrumentation"].severity == "advice"


def test_earlier_runs_are_those_of_the_pipeline_that_completed_before(tmp_path: Path) -> None:
    """Runs of other pipelines, later runs and failed runs say nothing of what is usual."""
    make_run(tmp_path, PLAIN, "run_other", pipeline="other", start=START - timedelta(days=1))
    make_run(tmp_path, PLAIN, "run_failed", status="failed", start=START - timedelta(days=1))
    make_run(tmp_path, PLAIN, "run_later", start=START + timedelta(days=1))
    make_run(tmp_path, PLAIN, "run_before", start=START - timedelta(days=2))
    recording = recorded(tmp_path, PLAIN, "run_now")
    past = EarlierRuns.read(MetricsReader(tmp_path), recording)
    assert [row["run_id"] for row in past.runs] == ["run_before"]
    assert present(past.previous).run_id == "run_before"


def test_a_run_that_says_little_gets_findings_nevertheless(tmp_path: Path) -> None:
    """The small finished run of the test tools, which has neither samples nor configuration, is no trouble."""
    recording = Recording.read(MetricsReader(tmp_path), finished_run(tmp_path))
    assert all(finding.title for finding in find(recording))


@pytest.mark.parametrize(("intervals", "said"), [(20, True), (3, False)])
def test_of_a_run_of_few_intervals_nothing_is_said_of_waiting(tmp_path: Path, intervals: int, said: bool) -> None:
    """Where work begins and ends is known to an interval: a long idle run waited, a short one merely started."""
    recording = recorded(tmp_path, [Pool("clean", [Op("a", 0.0002)])], intervals=intervals)
    found = [finding for finding in find(recording) if finding.kind == "bottleneck"]
    assert bool(found) is said
    assert all(finding.evidence["limit"] is None for finding in found)


@pytest.mark.parametrize("status", ["failed", "interrupted", "aborted", "running", "completed"])
def test_without_measured_work_there_is_no_verdict(tmp_path: Path, status: str) -> None:
    """A run that did no work gets neither a bottleneck nor a number that JSON does not know, however it ended."""
    nothing: dict[str, Any] = {
        "loader_seconds": 0.0,
        "writer_seconds": 0.0,
        "total_input_records": 0,
        "total_output_records": 0,
    }
    recording = recorded(tmp_path, PLAIN, records=0, status=status, nodes=[99.0], cores=2, **nothing)
    found = find(recording)
    assert not {"bottleneck", "idle-workers", "straggler"} & {finding.kind for finding in found}
    assert json.dumps([finding.as_dict() for finding in found], allow_nan=False)
    assert not any(" inf" in f"{finding.title} {finding.detail} {finding.suggestion}" for finding in found)


def test_a_machine_that_others_fill_does_not_hide_that_the_run_waits(tmp_path: Path) -> None:
    """A worker that is busy 5 percent of the time on two cores that are full: the run waited, and others worked."""
    said = kinds(recorded(tmp_path, [Pool("a", [Op("x", 0.0005)], workers=1)], nodes=[100.0], cores=2))["bottleneck"]
    assert said.title.startswith("The run was mostly waiting")
    assert "Other processes seem to take the rest" in said.detail


def test_measured_cpu_is_said_by_whom_it_was_used(tmp_path: Path) -> None:
    """Where the CPU of the run was measured, its share and that of other processes are stated, not estimated."""
    pools = [Pool("a", [Op("x", 0.0005)], workers=1)]
    said = kinds(recorded(tmp_path, pools, nodes=[99.0], cores=2, own=4.0))["bottleneck"]
    assert "The processors were used 99.0 %: 4.0 % by this run, 95.0 % by other processes." in said.detail
    assert "seem" not in said.detail
    assert (said.evidence["processors"], said.evidence["own_processors"]) == (0.99, 0.04)


def test_several_threads_of_the_run_are_not_taken_for_others(tmp_path: Path) -> None:
    """One busy worker that fills eight cores by itself: measured, so no other process is blamed."""
    pools = [Pool("a", [Op("x", 0.0098)], workers=1)]
    said = kinds(recorded(tmp_path, pools, nodes=[99.0], cores=8, own=98.0))["bottleneck"]
    assert "other processes" not in f"{said.title} {said.detail} {said.suggestion}".lower()
    assert "More workers would only wait for each other." in said.detail


def test_more_workers_are_not_promised_where_others_take_the_cpu(tmp_path: Path) -> None:
    """Of a full machine the run has a quarter: another worker is no remedy, and the others are named."""
    pools = [Pool("a", [Op("x", 0.0098)], workers=1)]
    said = kinds(recorded(tmp_path, pools, nodes=[100.0], cores=4, own=25.0))["bottleneck"]
    assert "2 workers for a" not in said.suggestion
    assert "75.0 % by other processes" in said.detail


def test_without_samples_start_up_is_not_called_waiting(tmp_path: Path) -> None:
    """A run without samples does not know when it worked: nothing is said of waiting."""
    recording = recorded(tmp_path, [Pool("a", [Op("x", 0.0005)], workers=1)], samples=False)
    assert "bottleneck" not in kinds(recording)


def test_a_run_that_fills_its_machine_is_told_so(tmp_path: Path) -> None:
    """Two workers that are always busy on two full cores: saturated, with no word of others."""
    said = kinds(recorded(tmp_path, [Pool("a", [Op("x", 0.0196)], workers=2)], nodes=[100.0], cores=2))["bottleneck"]
    assert "a is the bottleneck" in said.title
    assert "other processes" not in f"{said.detail} {said.suggestion}".lower()


def test_a_limit_beside_a_neighbour_blames_the_neighbour(tmp_path: Path) -> None:
    """One worker always busy on four cores that others fill: what stands in the way of more workers are the others."""
    said = kinds(recorded(tmp_path, [Pool("a", [Op("x", 0.0098)], workers=1)], nodes=[100.0], cores=4))["bottleneck"]
    assert "a is the bottleneck" in said.title
    assert "CPUs are saturated" not in said.suggestion
    assert "by this run" in said.detail


@pytest.mark.parametrize(("share", "said"), [(0.6, True), (0.4, False)])
def test_a_main_reason_is_one_that_takes_half_of_all_records(tmp_path: Path, share: float, said: bool) -> None:
    """Each filter has a reason that comes most; it is reported where half of all that was read left for it."""
    recording = recorded(tmp_path, [Pool("a", [Op("f_filter", 0.005, {"short": share})])])
    assert ("main-reason" in kinds(recording)) is said


def test_a_main_reason_that_is_usual_is_not_reported(tmp_path: Path) -> None:
    """A pipeline that always rejects 60 percent for one reason is not told so each time."""
    pools = [Pool("a", [Op("f_filter", 0.005, {"short": 0.6})])]
    for number in range(5):
        make_run(tmp_path, pools, f"run_{number}", seed=number, start=START - timedelta(days=5 - number))
    recording = recorded(tmp_path, pools, "run_now")
    assert "main-reason" in kinds(recording)
    assert "main-reason" not in kinds(recording, EarlierRuns.read(MetricsReader(tmp_path), recording))


@pytest.mark.parametrize(("cost", "said"), [(0.015, True), (0.003, False)])
def test_uneven_work_is_told_where_it_sets_the_pace(tmp_path: Path, cost: float, said: bool) -> None:
    """A worker that got 60 percent of the records: told where it was busy most of the time, not where all waited."""
    recording = recorded(tmp_path, [Pool("a", [Op("x", cost)], workers=4, share=0.6)])
    assert ("skew" in kinds(recording)) is said


def test_errors_of_a_run_that_read_nothing_are_no_share(tmp_path: Path) -> None:
    """Of records that could not be read where none was read, no percentage is given."""
    found = kinds(recorded(tmp_path, PLAIN, records=0, total_input_records=0, total_errors=3, loader_errors=3))
    assert found["errors"].title == "3 records failed"


def unspaced(records: int, rejects: int, share: float, name: str = "f_filter") -> Op:
    custom: dict[str, float] = {"unspaced_records": records, "unspaced_rejects": rejects}
    return Op(name, 0.001, {"too_few_words": share} if share else {}, custom=custom)


def test_rejects_in_scripts_without_spaces_are_a_warning(tmp_path: Path) -> None:
    """Where most rejects of an operator are in a script without spaces, it is named with its numbers."""
    pool = Pool("a", [unspaced(400, 390, 0.4), Op("other")], workers=1)
    found = kinds(recorded(tmp_path, [pool], records=1000))["unspaced-scripts"]
    assert found.severity == "warning"
    assert found.title == "Most rejects of a / f_filter are in a script without spaces between words"
    assert "a / f_filter: 400 of 1,000 records, 390 of its 400 rejects" in found.detail
    assert found.evidence == {"a / f_filter": {"records": 400, "rejects": 390}}
    assert "`words: unicode`" in found.suggestion


def test_comparisons_without_spaces_are_a_warning_too(tmp_path: Path) -> None:
    """An operator that rejects none of them, or others, is reported where a tenth of its records have no spaces."""
    pool = Pool("a", [unspaced(100, 0, 0.3), unspaced(60, 30, 0.3, "g_filter")], workers=1)
    found = kinds(recorded(tmp_path, [pool], records=1000))["unspaced-scripts"]
    assert found.title == "a / f_filter finds no words in 100 records without spaces between them"
    assert set(found.evidence) == {"a / f_filter"}


def test_a_few_texts_without_spaces_are_not_reported(tmp_path: Path) -> None:
    """Less than a tenth of the records, and less than half of the rejects, is nothing to warn of."""
    pool = Pool("a", [unspaced(99, 99, 0.3), Op("other")], workers=1)
    assert "unspaced-scripts" not in kinds(recorded(tmp_path, [pool], records=1000))


def test_findings_name_no_place_of_a_view(tmp_path: Path) -> None:
    """What to look at next is `see`, for each view to link; the texts speak of no section and of nothing below."""
    pools = [
        Pool("a", [Op("x", 0.01, {"short": 0.7}, errors=0.05)], slow=4.0),
        Pool("b", [Op("y", 0.001)], share=0.8),
    ]
    recording, past = with_past(tmp_path, pools, nodes=[99.0], config={"changed": True})
    found = find(recording, past)
    assert {"errors", "comparison", "workers"} <= {finding.see for finding in found}
    for finding in found:
        said = f"{finding.title} {finding.detail} {finding.suggestion}".split()
        assert not {"below", "below.", "above", "section", "sections", "page", "chart"} & set(said), finding


@pytest.mark.parametrize("status", ["failed", "interrupted", "aborted"])
def test_a_run_that_ended_early_is_not_said_to_have_read_nothing(tmp_path: Path, status: str) -> None:
    """The finding blames no source; whether a batch had passed a stage is known on the local engine only."""
    found = kinds(recorded(tmp_path, PLAIN, records=0, status=status))
    assert "nothing-read" not in found
    assert found["nothing-passed"].detail == "No batch had passed a stage."
    on_ray = recorded(tmp_path / "ray", PLAIN, records=0, status=status, engine="ray")
    assert "between stages" in kinds(on_ray)["nothing-passed"].detail
    assert not found["nothing-passed"].suggestion
