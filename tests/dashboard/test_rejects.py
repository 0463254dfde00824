"""The page of rejected records, asked as the browser asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dashboard.visiting import Visitor, found, texts, written
from tests.made_runs import Op, Pool, make_run
from tests.rejects.making import rejected, write_run

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """A dashboard over a run that kept 130 records of three rules, and one that kept none."""
    folder = tmp_path_factory.mktemp("rejects")
    first = [rejected(n, record_id=f"{folder}/in/r{n:04d}") for n in range(100)]
    content = json.dumps({"text": EVIL, "url": "http://a"})
    odd = {"operator": "dedup", "reason": EVIL, "score": None, "threshold": None}
    second = [rejected(n, **odd, content=content, failed_rules=["too_long", EVIL]) for n in range(100, 129)]
    metrics = write_run(folder, first, [*second, rejected(129, slice="en", bytes=None)])
    make_run(Path(metrics), (Pool("clean", [Op("length", 0.001, {"too_short": 0.2})]),), "run_plain")
    with Visitor(metrics) as opened:
        yield opened


def shown(visitor: Visitor, search: str = "", run: str = "run_a") -> list[str]:
    """The texts of the page."""
    return texts(visitor.page(f"/run/{run}/rejects", search)["content"]["children"])


def records(visitor: Visitor, search: str = "") -> list[str]:
    """The ids of the records in the table."""
    tables = found(visitor.page("/run/run_a/rejects", search)["content"]["children"], "Table")
    return [text for text in texts(tables[-1]["children"]) if text.startswith(("…/r", "r0"))]


def test_pages_of_records(visitor: Visitor) -> None:
    """Fifty records a page, in the order of the source; an address that asks for too much shows the last page."""
    pages = [records(visitor, f"?page={page}") for page in (1, 2, 3, 99)]
    assert [len(page) for page in pages] == [50, 50, 30, 30]
    assert pages[0][0] == "…/r0000"
    assert pages[2] == pages[3]
    assert records(visitor, "?page=x") == pages[0]
    assert "51 to 100 of 130 " in shown(visitor, "?page=2")


def test_filters_and_the_neighbours_of_thresholds(visitor: Visitor) -> None:
    """A rule of the address narrows the table; the nearest of every rule are asked for by a link."""
    assert len(records(visitor, "?operator=length&page=3")) == 1
    assert records(visitor, "?slice=en") == ["r0129"]
    assert "Only operator length: " in shown(visitor, "?operator=length")
    assert records(visitor, "?show=nearest")[:2] == ["…/r0000", "…/r0001"]
    assert "No rejected record matches." in shown(visitor, "?operator=nothing")
    links = [link["href"] for link in found(visitor.page("/run/run_a/rejects")["content"]["children"], "Link")]
    assert "/run/run_a/rejects?stage=clean&operator=length&reason=too_short&slice=en" in links
    assert "/run/run_a/rejects?page=2" in links


def test_content_is_text(visitor: Visitor) -> None:
    """Records are shown as text, never as HTML; local folders are not shown."""
    answer = visitor.page("/run/run_a/rejects", "?operator=dedup")
    assert EVIL in texts(found(answer["content"]["children"], "Pre")[0]["children"])[0]
    assert len(found(answer["content"]["children"], "Details")) == 29
    assert not found(answer, "Markdown")
    assert "dangerously" not in written(answer)
    assert "/tmp" not in written(visitor.page("/run/run_a/rejects"))


def test_a_run_without_a_ledger(visitor: Visitor) -> None:
    """Its page has no link to the records; their address says how to keep some."""
    assert "run_plain kept no ledger of its rejected records" in shown(visitor, run="run_plain")
    assert "Rejected records" in shown_page(visitor, "run_a")
    assert "Rejected records" not in shown_page(visitor, "run_plain")


def shown_page(visitor: Visitor, run: str) -> list[str]:
    """The texts of the page of a run."""
    return texts(visitor.page(f"/run/{run}")["content"]["children"])
