"""A change of the share kept within slices of the records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from mega_data_factory.analytics.comparison import compare
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.framework.metrics.schema import SLICES
from tests.made_runs import START, Op, Pool, recorded


def sliced(recording: Recording, rows: Sequence[tuple[str, str, int, int, int]]) -> Recording:
    """Return a run with slices of the column `lang`: operator, value (`other` for the rest), in, rejected, missed."""
    made = [
        {
            "run_id": recording.run_id,
            "stage_name": "a",
            "operator_name": operator,
            "operator_index": "fg".index(operator),
            "slice_by": "lang",
            "slice_kind": "other" if value == "other" else "value",
            "slice_value": None if value == "other" else value,
            "slices": 1,
            "timestamp": START,
            "input_records": came,
            "output_records": came - rejected,
            "rejected_records": rejected,
            "error_count": 0,
            "rejected_reasons": json.dumps({"r" if operator == "f" else "q": rejected}),
            "missed_records": missed,
        }
        for operator, value, came, rejected, missed in rows
    ]
    return replace(recording, slice_rows=pa.Table.from_pylist(made, schema=SLICES))


def run(tmp_path: Path, name: str, f: float, rows: Sequence[tuple[str, str, int, int, int]]) -> Recording:
    pools = [Pool("a", [Op("f", 0.001, {"r": f}), Op("g", 0.001, {"q": 0.5})])]
    return sliced(recorded(tmp_path, pools, name), rows)


BEFORE = [("f", "en", 6000, 600, 0), ("f", "de", 4000, 400, 0), ("g", "en", 5400, 2700, 0), ("g", "de", 3600, 1800, 0)]
AFTER = [("f", "en", 6000, 600, 0), ("f", "de", 4000, 1400, 0), ("g", "en", 5400, 2700, 0), ("g", "de", 2600, 1300, 0)]


def test_the_slice_in_which_it_changed_is_named(tmp_path: Path) -> None:
    """1,000 more of 4,000 German records were rejected: the whole change is that operator's in that slice."""
    found = compare(run(tmp_path, "run_1", 0.1, BEFORE), run(tmp_path, "run_2", 0.2, AFTER))
    (part,) = found.sliced_parts
    assert (part.operator, part.reason, part.slice) == ("f", "r", (("lang", "de"),))
    assert part.points == pytest.approx(found.kept.points) == pytest.approx(-5.0)


def test_the_first_column_of_the_configuration_is_taken(tmp_path: Path) -> None:
    """Of runs that are sliced by several columns, the one named first is what the parts are of."""
    made = [run(tmp_path, "run_1", 0.1, BEFORE), run(tmp_path, "run_2", 0.2, AFTER)]
    both = []
    for recording in made:
        rows = recording.slice_rows.to_pylist()
        more = pa.Table.from_pylist([row | {"slice_by": "crawl"} for row in rows], schema=SLICES)
        settings = {"executor": {"metrics": {"slice_by": ["lang", "crawl"]}}}
        row = {**recording.run, "config": {**recording.config, **settings}}
        both.append(replace(recording, run=row, slice_rows=pa.concat_tables([more, recording.slice_rows])))
    assert {part.slice[0][0] for part in compare(*both).sliced_parts} == {"lang"}


def test_slices_that_cannot_be_followed_are_one(tmp_path: Path) -> None:
    """Of a slice that one run counts with a miss, and of `other`, the records are together; the parts add up."""
    uncertain = [(*row[:4], 5 if row[1] == "de" else 0) for row in AFTER]
    found = compare(run(tmp_path, "run_1", 0.1, BEFORE), run(tmp_path, "run_2", 0.2, uncertain))
    assert {part.slice for part in found.sliced_parts} == {(("lang", "other"),)}
    assert sum(part.points for part in found.sliced_parts) == pytest.approx(found.kept.points)


def test_runs_without_common_slices_have_no_such_parts(tmp_path: Path) -> None:
    """Where only one run was sliced, the parts of the whole are all there is."""
    pools = [Pool("a", [Op("f", 0.001, {"r": 0.1}), Op("g", 0.001, {"q": 0.5})])]
    found = compare(recorded(tmp_path, pools, "run_1"), run(tmp_path, "run_2", 0.2, AFTER))
    assert found.sliced_parts == ()
    assert found.parts
