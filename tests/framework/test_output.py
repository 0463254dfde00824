"""Output files have names that the work determines, and error sinks hold whatever a record was."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from mega_data_factory.errors import OutputError
from mega_data_factory.framework.batch import Batch, Exclusion
from mega_data_factory.framework.commit.exclusion_files import write_exclusions
from mega_data_factory.framework.commit.group_writing import write_group
from mega_data_factory.framework.commit.log import COMMITS, LoggedPlan
from mega_data_factory.framework.commit.output import OutputFolder
from mega_data_factory.framework.config.pipeline import PipelineConfig
from mega_data_factory.framework.engines.local.spool import Spool
from mega_data_factory.framework.plan import make_plan
from tests.framework.making import HERE, Lines, batch, pipeline, table
from tests.present import present


def folder(path: Path, run_id: str = "run-1") -> OutputFolder:
    writer = {"type": f"{HERE}:Lines", "params": {"output_path": str(path)}}
    return OutputFolder.from_plan(make_plan(PipelineConfig.from_dict(pipeline(data_writer=writer))), run_id)


def files(path: Path) -> list[str]:
    """All files but those of the commit log."""
    found = (file.relative_to(path) for file in path.rglob("*") if file.is_file())
    return sorted(str(file) for file in found if file.parts[0] != COMMITS)


def entries(path: Path) -> list[str]:
    """The entries of all commit logs."""
    return sorted(file.name for file in (path / COMMITS).rglob("*.jsonl"))


def group(*numbers: int, texts: Sequence[str] = ("a", "b")) -> list[tuple[Batch, pa.Table]]:
    made = [batch(texts, number) for number in numbers]
    return [(one.without_table(), one.table) for one in made]


def test_writing_again_leaves_nothing_twice(tmp_path: Path) -> None:
    """The same batches of the same run give the same file; other batches or another run give another."""
    out = folder(tmp_path)
    writer = Lines(str(tmp_path))
    first = write_group(out, writer, group(0, 1))
    again = write_group(out, writer, group(0, 1))
    assert [c.output_file for c in first] == [c.output_file for c in again]
    assert len(files(tmp_path)) == len(entries(tmp_path)) == 1
    file = present(first[0].output_file)
    assert Path(file.path).read_text().split() == ["r0000", "r0001", "r1000", "r1001"]
    assert (file.records, first[0].output_records) == (4, 2)
    assert file.bytes == Path(file.path).stat().st_size
    write_group(out, writer, group(0))
    write_group(folder(tmp_path, "run-2"), writer, group(0, 1))
    assert len(files(tmp_path)) == len(entries(tmp_path)) == 3


def test_a_group_without_records_writes_no_file(tmp_path: Path) -> None:
    """Batches of which nothing is left are committed without a file."""
    commits = write_group(folder(tmp_path), Lines(str(tmp_path)), group(0, 1, texts=()))
    assert [(c.output_file, c.output_records) for c in commits] == [(None, 0), (None, 0)]
    assert files(tmp_path) == []
    assert len(entries(tmp_path)) == 1


def test_columns_that_do_not_fit_together_become_text(tmp_path: Path) -> None:
    """A column that is a number in one batch and a text in the next loses no record; a missing one becomes null."""
    (one, rows), (other, more) = group(0, 1)
    numbers = rows.append_column("n", pa.array([1, 2]))
    out = folder(tmp_path)
    for last in (more, more.append_column("n", pa.array(["x", "y"]))):
        commits = write_group(out, Lines(str(tmp_path)), [(one, numbers), (other, last)])
        assert [c.output_records for c in commits] == [2, 2]


def test_exclusions_go_to_their_folders(tmp_path: Path) -> None:
    """Errors and dead letters lie beside the data under the name of the file; rejections are not written here."""
    exclusions = tuple(Exclusion(kind, kind, "s", "o", "why") for kind in ("error", "dead_letter", "rejected"))
    ((one, rows),) = group(3)
    write_group(folder(tmp_path), Lines(str(tmp_path)), [(replace(one, exclusions=exclusions), rows)])
    (data,) = tmp_path.glob("part-*.ids")
    assert files(tmp_path) == sorted([data.name, f"_errors/{data.stem}.jsonl", f"_dead_letter/{data.stem}.jsonl"])
    assert json.loads((tmp_path / "_errors" / f"{data.stem}.jsonl").read_text())["record_id"] == "error"


def test_output_of_another_run_is_refused_or_removed(tmp_path: Path) -> None:
    """`error` refuses a folder with output, errors included; what is replaced is ours, not a file of other origin."""
    out = folder(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "part-9.other").write_text("mine")
    out.check("error")
    (tmp_path / "_errors").mkdir()
    (tmp_path / "_errors" / "part-1.jsonl").touch()
    with pytest.raises(OutputError, match=r"already holds 1 output files, for example part-1\.jsonl"):
        out.check("error")
    out.check("append")
    out.check("overwrite")
    (tmp_path / ".part-1.ids.0123.tmp").touch()
    out.replace_earlier(out.list_earlier())
    assert files(tmp_path) == ["notes.txt", "part-9.other"]


def test_a_refusal_tells_of_the_run_that_could_go_on(tmp_path: Path) -> None:
    """Output of a run that has not completed may be what the user wants to go on with, so the hint names the newest."""
    out = folder(tmp_path)
    write_group(out, Lines(str(tmp_path)), group(1))
    with pytest.raises(OutputError) as without:
        folder(tmp_path, "run-3").check("error")
    assert "--resume" not in (without.value.hint or "")
    for run_id, started in (("run-1", "2026-01-02"), ("run-0", "2026-01-01")):
        folder(tmp_path, run_id).log.start(LoggedPlan(started, {}))
    with pytest.raises(OutputError) as refused:
        folder(tmp_path, "run-3").check("error")
    assert "or resume run-1, which has not completed (--resume run-1)" in (refused.value.hint or "")


def test_what_killed_writers_left_is_tidied(tmp_path: Path) -> None:
    """Files half-written, or finished but not in the commit log, go, in the error sinks too; other runs' stay."""
    out = folder(tmp_path)
    kept, lost = (
        Path(present(write_group(out, Lines(str(tmp_path)), group(*numbers))[0].output_file).path).stem
        for numbers in ((0, 1), (2,))
    )
    (tmp_path / COMMITS / "run-1" / f"{lost}.0.jsonl").unlink()  # killed between the file and its entry
    (other,) = write_group(folder(tmp_path, "run-2"), Lines(str(tmp_path)), group(2))
    (tmp_path / "_errors").mkdir()
    for name in (f".{kept}.ids.0123.tmp", f"_errors/.{kept}.jsonl.0123.tmp", ".part-000000-00000-ffffffff.ids.1.tmp"):
        (tmp_path / name).touch()
    for name in (kept, lost):
        (tmp_path / "_errors" / f"{name}.jsonl").touch()
    out.remove_uncommitted(out.log.names(0))
    assert files(tmp_path) == sorted(
        [
            ".part-000000-00000-ffffffff.ids.1.tmp",
            f"{kept}.ids",
            Path(present(other.output_file).path).name,
            f"_errors/{kept}.jsonl",
        ]
    )


ODD = [
    '{"text": "half a pair: \\ud800"}',
    '{"score": NaN, "list": [Infinity, 1.5], "in": {"x": -Infinity}}',
    '{"huge": 1e999}',
    "[" * 100_000,
    "[" * 5_000 + "]" * 5_000,
    "no json \udcff at all",
    "",
    "7",
    "\u2028 two\nlines",
]


def test_error_sinks_are_json_lines_whatever_is_in_them(tmp_path: Path) -> None:
    """Every line is strict UTF-8 JSON: half surrogate pairs, NaN, and nesting without end included."""
    path = tmp_path / "errors.jsonl"
    exclusions = [
        Exclusion("error", f"r{i}", "s", "o", "\ud800", math.nan, 1.0, content) for i, content in enumerate(ODD)
    ]
    write_exclusions(str(path), exclusions)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    lines = path.read_bytes().decode("utf-8").split("\n")[:-1]
    records = [json.loads(line, parse_constant=refuse) for line in lines]
    assert [record["record_id"] for record in records] == [f"r{i}" for i in range(len(ODD))]
    assert records[0]["record"] == {"text": "half a pair: \ud800"}
    assert records[1]["record"] == {"score": None, "list": [None, 1.5], "in": {"x": None}}
    assert records[5]["record"] == "no json \udcff at all"
    assert (records[0]["score"], records[0]["threshold"]) == (None, 1.0)


def test_error_sinks_load_as_tables(tmp_path: Path) -> None:
    """Records with their reasons can be read with polars."""
    path = tmp_path / "errors.jsonl"
    write_exclusions(str(path), [Exclusion("error", "r1", "s", "o", "why", content='{"text": "ü", "n": 1}')])
    (row,) = pl.read_ndjson(path).to_dicts()
    assert (row["reason"], row["record"]) == ("why", {"text": "ü", "n": 1})


def test_a_spooled_table_outlives_its_file(tmp_path: Path) -> None:
    """A table is taken as it was put, the last of a name wins, and a mapped one stays valid when its file is gone."""
    spool = Spool(tmp_path)
    rows = table(["a", "b"]).replace_schema_metadata({"k": "v"})
    spool.put("one.read", table(["old"]))
    path = spool.put("one.read", rows)
    taken = Spool.read(path).table
    Spool.remove(path)
    Spool.remove(path)
    assert taken.equals(rows, check_metadata=True)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_table_is_spooled_with_its_schema(tmp_path: Path) -> None:
    """A batch of which nothing is left keeps its columns, also a slice of a larger one only its rows."""
    rows = table(["a", "b", "c"])
    assert Spool.read(Spool(tmp_path).put("x", rows.slice(0, 0))).table.schema == rows.schema
    part = Spool.read(Spool(tmp_path).put("y", rows.slice(1, 1))).table
    assert part.equals(rows.slice(1, 1))
    assert isinstance(part, pa.Table)
