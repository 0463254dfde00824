"""Every cell of the table of guarantees in the manual has tests that fail where the cell is false."""

from __future__ import annotations

import ast
from pathlib import Path

HERE = Path(__file__).parent
MANUAL = HERE.parents[1] / "docs" / "observe" / "README.md"

COLUMNS = (
    "a worker is killed",
    "the driver is killed",
    "a speculative attempt",
    "the work is executed again",
)
NO_SUCH_THING = "there are none"

TESTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "plain Python": (
        (
            "test_pools.py::test_workers_killed_after_the_work_and_before_the_reply_change_no_number",
            "test_pools.py::test_a_step_inside_a_function_of_a_pool_counts_every_execution",
        ),
        ("test_runs.py::test_a_driver_that_is_killed_leaves_what_was_written_and_an_aborted_run",),
        (),
        ("test_pools.py::test_a_step_inside_a_function_of_a_pool_counts_every_execution",),
    ),
    "Ray Data": (
        (
            "test_ray_data.py::test_counts_are_those_of_an_undisturbed_run",
            "test_ray_data_cluster.py::test_workers_on_another_node_die",
        ),
        ("test_ray_data_cluster.py::test_a_killed_driver_is_an_aborted_run",),
        (),
        (
            "test_ray_data.py::test_two_actions_on_a_lazy_dataset_count_once_and_are_noted",
            "test_ray_data_cluster.py::test_a_node_dies_and_its_blocks_are_made_again",
        ),
    ),
    "Spark": (
        (
            "test_spark.py::test_workers_that_die_change_no_number",
            "test_spark.py::test_attempts_and_executors_that_are_lost_change_no_number",
        ),
        ("test_spark.py::test_a_driver_that_is_killed_leaves_an_aborted_run_with_its_counts",),
        ("test_spark.py::test_attempts_and_executors_that_are_lost_change_no_number",),
        (
            "test_spark.py::test_actions_that_compute_a_plan_again_count_once",
            "test_spark.py::test_attempts_and_executors_that_are_lost_change_no_number",
        ),
    ),
    "Dask": (
        ("test_dask.py::test_workers_that_die_change_no_number",),
        ("test_dask.py::test_a_driver_that_is_killed_leaves_an_aborted_run_with_its_counts",),
        (),
        ("test_dask.py::test_a_result_that_is_asked_for_again_counts_once",),
    ),
    "datatrove": (
        (
            "test_datatrove_launches.py::test_counts_are_exact_though_workers_die_after_the_work_and_before_it_is_marked",
        ),
        (
            "test_datatrove_launches.py::test_a_killed_driver_leaves_an_aborted_run_with_its_counts",
            "test_datatrove_launches.py::test_counts_are_exact_though_workers_die_after_the_work_and_before_it_is_marked",
        ),
        (),
        (
            "test_datatrove.py::test_tasks_of_an_earlier_launch_count_as_they_did_then",
            "test_datatrove.py::test_a_task_that_runs_again_in_a_run_counts_once",
            "test_datatrove_launches.py::test_several_tasks_and_workers_and_a_relaunch_of_what_is_done",
        ),
    ),
    "Hugging Face `datasets`": (
        (
            "test_datasets_processes.py::test_counts_are_exact_though_workers_die_after_the_work_and_before_the_reply",
            "test_datasets_processes.py::test_a_launch_after_a_killed_worker_counts_what_the_earlier_ones_have_finished",
        ),
        ("test_datasets_processes.py::test_a_run_after_a_killed_driver_counts_what_is_cached",),
        (),
        (
            "test_datasets.py::test_a_cached_result_counts_as_in_the_run_that_filled_the_cache",
            "test_datasets.py::test_a_result_that_is_made_again_in_a_run_counts_once",
            "test_datasets.py::test_a_stream_counts_once_however_often_it_is_iterated",
        ),
    ),
}
"""Engine → for each column the tests of the cell."""


def table() -> dict[str, dict[str, str]]:
    """Return the cells of the table in the manual by engine and column."""
    lines = MANUAL.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| engine | a worker is killed"))
    names = [cell.strip() for cell in lines[start].strip("|").split("|")][1:]
    found = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        engine, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        found[engine] = dict(zip(names, cells, strict=True))
    return found


def test_every_cell_has_tests() -> None:
    cells = table()
    assert cells.keys() == TESTS.keys()
    for engine, columns in cells.items():
        assert tuple(columns) == COLUMNS
        for column, tests in zip(COLUMNS, TESTS[engine], strict=True):
            assert bool(tests) is not columns[column].startswith(NO_SUCH_THING), (engine, column)


def test_the_tests_of_cells_exist() -> None:
    named = {test for columns in TESTS.values() for tests in columns for test in tests}
    for file in {test.partition("::")[0] for test in named}:
        tree = ast.parse((HERE / file).read_text(encoding="utf-8"))
        functions = {f"{file}::{node.name}" for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert {test for test in named if test.startswith(f"{file}::")} <= functions
