"""The section of a report about rejected records."""

from __future__ import annotations

from pathlib import Path

from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.cli import main
from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.reports.rejects import MOST_RULES, reject_table
from tests.made_runs import Op, Pool, make_run
from tests.rejects.making import rejected, write_run

EVIL = "<b>too short</b>"


def recording(metrics: str, run: str = "run_a") -> Recording:
    """The run as reports read it."""
    return Recording.read(MetricsReader(metrics), run)


def test_rules_with_the_record_nearest_to_each_threshold(tmp_path: Path) -> None:
    """A row for every rule, the most frequent first; a rule without scores has no such record."""
    odd = {"operator": "dedup", "reason": "duplicate", "score": None, "threshold": None, "failed_rules": None}
    metrics = write_run(tmp_path, [rejected(n) for n in range(3, 6)], [rejected(6, **odd)])
    made = reject_table(recording(metrics))
    assert made is not None
    assert made.rows == (
        ("clean / length", "too_short", "3", "75.0 %", "3", "288 B", "r0003", "97 (100)"),
        ("clean / dedup", "duplicate", "1", "25.0 %", "-", "94 B", "", ""),
    )


def test_the_page_has_the_section_where_the_records_are_kept(tmp_path: Path) -> None:
    """With names of users as text; a run without a ledger has no such section, a lost ledger says so."""
    metrics = write_run(tmp_path, [rejected(1, reason=EVIL)])
    assert main(["report", "run_a", "--metrics", metrics, "-o", str(tmp_path / "a.html")]) == 0
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "<h2>Rejected records</h2>" in page
    assert "&lt;b&gt;too short" in page
    assert EVIL not in page
    make_run(Path(metrics), (Pool("clean", [Op("length", 0.001, {"too_short": 0.2})]),), "run_plain")
    assert reject_table(recording(metrics, "run_plain")) is None


def test_what_cannot_be_read_or_is_too_much(tmp_path: Path) -> None:
    """A damaged ledger is a sentence; of very many rules the most frequent are shown."""
    metrics = write_run(tmp_path, [rejected(n, reason=f"rule_{n}") for n in range(MOST_RULES + 2)])
    made = reject_table(recording(metrics))
    assert made is not None
    assert len(made.rows) == MOST_RULES
    assert made.note.endswith("2 rarer rules not shown.")
    (file,) = (tmp_path / "rejected" / "run_a").iterdir()
    file.write_bytes(b"PAR1")
    made = reject_table(recording(metrics))
    assert made is not None
    assert not made.rows
    assert str(file) in (made.problem or "")
    file.unlink()
    made = reject_table(recording(metrics))
    assert made is not None
    assert "missing" in (made.problem or "")
    made = reject_table(recording(write_run(tmp_path / "none", [])))
    assert made is not None
    assert made.problem == "no record was rejected"
