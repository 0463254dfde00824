"""Statistics of the output in runs: those of the files, whatever workers died and sessions there were."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mega_data_factory.framework.commit.column_measuring import measure_columns
from mega_data_factory.framework.executor import Executor
from mega_data_factory.framework.metrics.reader import MetricsReader
from tests.engines.conftest import OLD_RAY
from tests.engines.running import Pipeline, fake, rejecting_some, stop_early


def pipeline(folder: Path, *operators: dict[str, Any], **metrics: Any) -> Pipeline:
    """Some records are rejected; files hold a few batches each."""
    made = rejecting_some(folder, *operators, records=600, metrics=metrics)
    return replace(made, writer={"params": {"target_file_mb": 0.01}})


def stored(folder: Path) -> list[dict[str, Any]]:
    """The rows of the table, without their time."""
    rows = MetricsReader(folder / "metrics").details("columns").drop_columns(["timestamp", "run_id"]).to_pylist()
    return sorted(rows, key=lambda row: row["column_name"])


def of_the_files(folder: Path) -> list[dict[str, Any]]:
    """The same rows, from the output as it is on disk."""

    def rows() -> Iterator[dict[str, Any]]:
        table = pa.concat_tables(pq.read_table(file) for file in sorted((folder / "output").glob("part-*")))
        for statistics in measure_columns(table):
            for row in statistics.rows("", None):  # type: ignore[arg-type]
                yield {name: value for name, value in row.items() if name not in ("timestamp", "run_id")}

    return sorted(rows(), key=lambda row: str(row["column_name"]))


def test_the_table_is_of_the_files(tmp_path: Path) -> None:
    """Every number of the table is the one of the output files; the time that it took counts as instrumentation."""
    result = pipeline(tmp_path).run()
    assert len(result.files) > 1
    assert stored(tmp_path) == of_the_files(tmp_path)
    rows = {row["column_name"]: row for row in stored(tmp_path)}
    assert rows["text"]["records"] == len(result.texts)
    assert rows["text"]["minimum"] >= 50
    assert result.run["instrumentation_seconds"] > 0


def test_switched_off_nothing_is_measured(tmp_path: Path) -> None:
    """With `column_statistics: false` there is no table, and reading it gives no rows."""
    pipeline(tmp_path, column_statistics=False).run()
    assert not (tmp_path / "metrics" / "columns").exists()
    assert stored(tmp_path) == []


@pytest.mark.slow
def test_kills_and_resumed_sessions_change_nothing(tmp_path: Path) -> None:
    """A run whose workers die, and one that is stopped and resumed, have the table of one that nothing befell."""
    for name in ("whole", "killed", "resumed"):
        (tmp_path / name).mkdir()
    pipeline(tmp_path / "whole").run()
    deaths = tmp_path / "deaths"
    deaths.mkdir()
    pipeline(tmp_path / "killed", fake("KillAtWord", folder=str(deaths), word="text 35")).run()
    assert list(deaths.iterdir())
    made = pipeline(tmp_path / "resumed", fake("Slow", seconds=0.02))
    run_id = stop_early(made)
    between = stored(tmp_path / "resumed")
    Executor(made.config(), resume=run_id).run()
    assert stored(tmp_path / "whole") == stored(tmp_path / "killed") == stored(tmp_path / "resumed")
    assert between != stored(tmp_path / "resumed")


@pytest.mark.slow
@OLD_RAY
def test_on_ray_the_table_is_the_same(tmp_path: Path, ray_cluster: None) -> None:
    """Writers on Ray measure the same."""
    made = pipeline(tmp_path)
    made.engine = "ray"
    made.run()
    assert stored(tmp_path) == of_the_files(tmp_path)
