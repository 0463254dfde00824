"""Attributes of nodes: texts that are kept when they change, in memory and on disk."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mega_data_factory.errors import HistoryError
from mega_data_factory.history import MetricsHistory
from mega_data_factory.history.attributes import MOST_LETTERS, Attributes, Changes, read_lines

REPORTS = st.lists(st.tuples(st.integers(0, 30), st.sampled_from("abc")), max_size=30)


@given(REPORTS)
def test_every_report_is_read_back_at_its_time(reports: list[tuple[int, str]]) -> None:
    """In whatever order they come, and the last one of a moment wins; equal neighbours are kept once."""
    changes, latest = Changes(), 0
    for time, value in reports:
        changes = changes.added(2 * time, value, late=time < latest)  # no two moments are next to each other
        latest = max(time, latest)
    last = {2 * time: value for time, value in reports}
    assert changes.at(np.array(sorted(last))) == [last[time] for time in sorted(last)]
    assert list(changes.times) == sorted(set(changes.times))
    assert all(one != other for one, other in pairwise(changes.values))
    assert changes.letters == sum(64 + len(value) for value in changes.values)


@given(REPORTS, st.integers(0, 3))
def test_lines_of_json_give_the_same_attributes(reports: list[tuple[int, str]], cut: int) -> None:
    """A file holds all of them; a last line that was cut off, as its process was killed, is left out."""
    attributes = Attributes().described(["cpu", "host", "ids"], ["cpu"], [])
    for time, value in reports:
        attributes = attributes.reported({"host": value, "ids": (value, "x")}, 2 * time, late=True)
    lines = list(attributes.lines())
    assert read_lines(lines) == attributes
    assert read_lines([*lines, '{"time": 99, "values": {"host": "d"}}'[: 10 * cut]]) == attributes


def test_whole_metrics_are_those_that_always_were() -> None:
    """A metric that is new may be whole; one that had a fraction, or came without being whole, is not."""
    attributes = Attributes().described(["a", "b", "c"], ["a", "b"], ["c"])
    assert attributes.described(["a", "c"], ["a", "c"], []) is attributes
    assert attributes.described(["a", "d"], ["d"], ["a"]).whole == {"b", "d"}


def test_what_takes_too_much_room_is_dropped_from_its_beginning() -> None:
    """The oldest changes of all attributes go first, the last of each stays."""
    attributes = Attributes().reported({"rare": "r" * 50_000}, 0)
    for time in range(1, 500):
        attributes = attributes.reported({"often": f"{time:01000d}"}, time)
    assert sum(one.letters for one in attributes.changes.values()) <= MOST_LETTERS
    assert attributes.changes["rare"].values == ("r" * 50_000,)
    assert attributes.changes["often"].values[-1] == f"{499:01000d}"


def test_a_folder_keeps_attributes(tmp_path: Path) -> None:
    """A live folder that was never closed has every change, in a file that does not grow beyond what it holds."""
    history = MetricsHistory(directory=tmp_path / "live")
    for time in range(2_000):
        history.append("a/b", {"cpu": 1.0}, time)
        history.describe("a/b", time, ["cpu", "host"], attributes={"host": f"{time % 7:0500d}"})
    loaded = MetricsHistory.load(tmp_path / "live")
    assert loaded.attributes("a/b") == history.attributes("a/b")
    assert loaded.attributes("a/b").names == ("cpu", "host")
    (file,) = (tmp_path / "live").rglob("_attributes.jsonl")
    assert file.stat().st_size < 4 * MOST_LETTERS
    history.close()
    with MetricsHistory(directory=tmp_path / "live") as continued:
        continued.append("a/b", {"cpu": 1.0}, 2_000)
        continued.describe("a/b", 2_000, [], attributes={"host": "new"})
    assert MetricsHistory.load(tmp_path / "live").attributes("a/b").changes["host"].values[-1] == "new"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], "{broken", *lines[1:]]))
    with pytest.raises(HistoryError, match=r"_attributes.jsonl is damaged"):
        MetricsHistory.load(tmp_path / "live")
