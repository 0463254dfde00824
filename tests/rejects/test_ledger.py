"""The reject ledger as it is read: filters, counts, neighbours of a threshold, pages, and files that do not count."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mega_data_factory.analytics import RejectFilter, RejectLedger, open_rejects, read_rejects
from mega_data_factory.analytics.runs.trace import trace
from mega_data_factory.errors import InputError, MetricsQueryError
from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.rejects import SCHEMA, committed_files
from mega_data_factory.rejects.exporting import export_rejects
from tests.rejects.making import rejected, write_ledger, write_run

OTHER = {
    "operator": "dedup",
    "reason": "duplicate",
    "score": None,
    "threshold": None,
    "duplicate_of_key": 1 << 63,
    "failed_rules": None,
}


@pytest.fixture
def ledger(tmp_path: Path) -> RejectLedger:
    """Forty rows of two rules in two files."""
    files = [rejected(n) for n in range(20)], [rejected(n, **(OTHER if n % 2 else {})) for n in range(20, 40)]
    return RejectLedger(write_ledger(tmp_path, *files))


def test_rows_come_back_as_they_were_written(ledger: RejectLedger) -> None:
    """All columns, in the order of files and rows; keys beyond 63 bits too."""
    rows = ledger.read()
    assert rows.schema == SCHEMA
    assert rows["record_id"].to_pylist() == [f"r{n:04d}" for n in range(40)]
    assert rows.slice(3, 1).to_pylist() == [
        rejected(3) | {"duplicate_of_key": None, "slice": None, "content": None},
    ]
    assert set(rows["duplicate_of_key"].to_pylist()) == {None, 1 << 63}


@pytest.mark.parametrize(
    ("only", "numbers"),
    [
        (RejectFilter(), range(40)),
        (RejectFilter(operator="dedup"), range(21, 40, 2)),
        (RejectFilter(operator="length", reason="duplicate"), []),
        (RejectFilter(record_id="r0007"), [7]),
        (RejectFilter(stage="clean", score_between=(90.0, 95.0)), range(5, 11)),
        (RejectFilter(slice="en"), []),
    ],
)
def test_filters(ledger: RejectLedger, only: RejectFilter, numbers: range) -> None:
    """A filter keeps what it names; a record without a score is in no range; counts agree with rows."""
    assert ledger.read(only)["record_id"].to_pylist() == [f"r{n:04d}" for n in numbers]
    assert sum(ledger.counts(only)["records"].to_pylist()) == len(numbers)


def test_counts(ledger: RejectLedger) -> None:
    """Records and bytes of every rule, the most frequent first."""
    keys = {"stage": "clean", "slice": None}
    assert ledger.counts().to_pylist() == [
        {**keys, "operator": "length", "reason": "too_short", "records": 30, "alone": 30, "bytes": 2520},
        {**keys, "operator": "dedup", "reason": "duplicate", "records": 10, "alone": None, "bytes": 700},
    ]
    assert RejectLedger([]).counts().num_rows == 0


def test_pages(ledger: RejectLedger) -> None:
    """Pages put together are all rows, over the bounds of files."""
    pages = [ledger.read(offset=start, limit=7)["record_id"].to_pylist() for start in range(0, 49, 7)]
    assert [len(page) for page in pages] == [7, 7, 7, 7, 7, 5, 0]
    assert [record for page in pages for record in page] == ledger.read()["record_id"].to_pylist()


def test_nearest_to_the_threshold(ledger: RejectLedger) -> None:
    """The nearest of every rule, over all files; rules without a score have none."""
    assert ledger.nearest(3)["score"].to_pylist() == [100.0, 99.0, 98.0]
    only = RejectFilter(score_between=(0.0, 85.0))
    assert ledger.nearest(2, only)["record_id"].to_pylist() == ["r0015", "r0016"]
    assert ledger.nearest(2, RejectFilter(operator="dedup")).num_rows == 0


def test_a_damaged_file_is_one_error(tmp_path: Path) -> None:
    """It names the file; nothing of the others is returned as if it were all."""
    good, bad = write_ledger(tmp_path, [rejected(1)], [rejected(2)])
    Path(bad).write_bytes(Path(bad).read_bytes()[:-20])
    with pytest.raises(InputError, match="part-000001"):
        RejectLedger([good, bad]).read()


def test_which_files_count(tmp_path: Path) -> None:
    """All of a completed run; of another those that its log has; never a half-written one, nor a folder that is not."""
    files = write_ledger(tmp_path / "ledger", [rejected(1)], [rejected(2)])
    (tmp_path / "ledger" / ".part-000002.parquet.tmp").touch()
    log = tmp_path / "log"
    assert committed_files(str(tmp_path / "ledger"), str(log)) == files
    log.mkdir()
    (log / "plan.json").write_text("{}")
    (log / "part-000001.0.jsonl").touch()
    assert committed_files(str(tmp_path / "ledger"), str(log)) == files[1:]
    (log / "plan.json").write_text('{"completed": true}')
    assert committed_files(str(tmp_path / "ledger"), str(log)) == files
    assert committed_files(str(tmp_path / "nothing")) == []


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv"])
def test_export(ledger: RejectLedger, tmp_path: Path, suffix: str) -> None:
    """A file of any format holds the rows that pass the filter."""
    path = tmp_path / f"out{suffix}"
    assert export_rejects(str(path), ledger.batches(RejectFilter(operator="length"))) == 30
    wanted = ledger.read(RejectFilter(operator="length")).to_pylist()
    if suffix == ".parquet":
        assert pq.read_table(path).to_pylist() == wanted
    elif suffix == ".jsonl":
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert lines == [{name: value for name, value in row.items() if value is not None} for row in wanted]
    else:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["record_id"] for row in rows] == [row["record_id"] for row in wanted]
        assert [json.loads(row["failed_rules"]) for row in rows] == [row["failed_rules"] for row in wanted]
        assert [float(row["score"]) for row in rows] == [row["score"] for row in wanted]


def test_the_ledger_of_a_run(tmp_path: Path) -> None:
    """It is found by the run's row; a run that kept none says what would have kept one."""
    metrics = write_run(tmp_path, [rejected(1)], [rejected(2)])
    assert read_rejects(metrics, "run_a", RejectFilter(record_id="r0002"))["score"].to_pylist() == [98.0]
    assert read_rejects(metrics, limit=1).num_rows == 1
    row = MetricsReader(metrics).run("run_a")
    with pytest.raises(MetricsQueryError, match="kept no ledger") as raised:
        open_rejects(row | {"paths": {}})
    assert "keep" in str(raised.value.hint)


def test_an_export_beside_the_ledger_is_no_part_of_it(tmp_path: Path) -> None:
    """A Parquet file of another name in the folder is not counted as if the run had written it."""
    write_ledger(tmp_path, [rejected(1)])
    export_rejects(str(tmp_path / "all.parquet"), RejectLedger.open(str(tmp_path)).batches())
    assert RejectLedger.open(str(tmp_path)).read().num_rows == 1


def test_ends_of_line_in_an_exported_id(tmp_path: Path) -> None:
    """They stay in their cell, also the one that is not the end of line of the file."""
    ids = ["a\rb", "c\nd", "e\r\nf", 'g"h,i']
    ledger = RejectLedger(write_ledger(tmp_path, [rejected(n, record_id=name) for n, name in enumerate(ids)]))
    path = tmp_path / "out.csv"
    export_rejects(str(path), ledger.batches())
    with path.open(newline="") as file:
        assert [row["record_id"] for row in csv.DictReader(file)] == ids


def test_a_plan_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """What cannot be read is not taken for a run that has completed: its uncommitted files would count."""
    write_ledger(tmp_path / "ledger", [rejected(1)])
    (tmp_path / "log" / "plan.json").mkdir(parents=True)
    with pytest.raises(InputError, match="plan"):
        committed_files(str(tmp_path / "ledger"), str(tmp_path / "log"))


def test_the_ledger_of_a_run_that_holds_its_output_back(tmp_path: Path) -> None:
    """The run names the folder in which its output waits; the commit log is in the folder of the output itself."""
    metrics = write_run(tmp_path, [rejected(1)], [rejected(2)])
    row = MetricsReader(metrics).run("run_a")
    log = tmp_path / "output" / "_commits" / "run_a"
    log.mkdir(parents=True)
    (log / "plan.json").write_text("{}")
    (log / "part-000001.0.jsonl").touch()
    paths = {"rejects": str(tmp_path / "rejected"), "output": str(tmp_path / "output" / "_pending" / "run_a")}
    assert open_rejects(row | {"paths": paths}).read()["record_id"].to_pylist() == ["r0002"]


def test_a_ledger_that_was_moved(tmp_path: Path) -> None:
    """A run that has rejected records and whose ledger holds none says so: it is not as if none were rejected."""
    metrics = write_run(tmp_path, [rejected(1)])
    (tmp_path / "rejected").rename(tmp_path / "elsewhere")
    with pytest.raises(MetricsQueryError, match=r"missing.*rejected/run_a"):
        open_rejects(MetricsReader(metrics).run("run_a"))
    found = trace(MetricsReader(metrics), "run_a", "r0001")
    assert found.outcome == "not_found"
    assert any("ledger" in line for line in found.missing)
    assert not any("ledger" in line for line in found.searched)
