"""Way of one record through a run: what every operator did with it, and where it is now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

from mega_data_factory import storage
from mega_data_factory.analytics.runs.adding_up import stages_of
from mega_data_factory.analytics.runs.record_files import (
    file_with,
    files_of_run,
    files_set_aside,
    ids_of,
    is_searched,
    line_with,
)
from mega_data_factory.analytics.runs.rejects import (
    find_rejects,
    how_to_keep,
    is_missing,
    noted_paths,
    other_failed_rules,
)
from mega_data_factory.analytics.runs.totals import OperatorTotals
from mega_data_factory.formats import percent, plural
from mega_data_factory.framework.commit.earlier_output import PENDING
from mega_data_factory.framework.contracts import LOADER_STAGE, WRITER_STAGE
from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.framework.metrics.levels import Levels
from mega_data_factory.rejects import RejectFilter, RejectLedger, record_key

Outcome = Literal["written", "rejected", "error", "dead_letter", "not_found"]
Did = Literal["passed", "changed", "rejected", "error", "dead_letter", "not_reached", "unknown"]

_SET_ASIDE: Mapping[str, Outcome] = {"errors": "error", "dead_letters": "dead_letter"}
"""Name of a folder of the run → what became of the records in it."""


@dataclass(frozen=True)
class TraceStep:
    """One operator on the way of the record.

    Attributes:
        stage, operator: which.
        did: what it did with the record.
        note: what else is known, in words; empty for nothing.
    """

    stage: str
    operator: str
    did: Did
    note: str = ""


@dataclass(frozen=True)
class Trace:
    """Way of one record.

    Attributes:
        run_id, record_id: which.
        outcome: where it ended.
        steps: the operators in plan order.
        file: the file that it is in now; None if it is in none.
        record: what that file says of it, where it is not the output: stage, operator, reason, score and more.
        duplicate_of: of a duplicate, the id of the record that it lost to, if that is found.
        duplicate_of_in: the file that that record is in.
        searched: what was looked at, in words.
        missing: what is not kept and could have held an answer, in words.
        example: of a record that is not found, another id of the run: one that shows what its ids are like.
    """

    run_id: str
    record_id: str
    outcome: Outcome
    steps: tuple[TraceStep, ...]
    file: str | None = None
    record: Mapping[str, Any] | None = None
    duplicate_of: str | None = None
    duplicate_of_in: str | None = None
    searched: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    example: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def trace(reader: MetricsReader, run: str, record_id: str) -> Trace:
    """Find a record in what a run has left.

    The ledger of rejected records comes first, then errors, dead letters and the output. Each is read only as far as
    its format allows to leave out: see `record_files`.

    Args:
        reader: the metrics.
        run: id, unique beginning of one, or `latest`.
        record_id: the record.

    Raises:
        MetricsError: there is no such run, or several.
        InputError: a file cannot be read.
    """
    return _Search(reader.levels(run), record_id).trace()


@dataclass(frozen=True)
class _Found:
    outcome: Outcome
    file: str | None = None
    record: Mapping[str, Any] | None = None


class _Search:
    """Search for one record in the files of one run."""

    def __init__(self, levels: Levels, record_id: str) -> None:
        self._run = levels.run
        self._run_id = str(levels.run["run_id"])
        self._record_id = record_id
        self._operators = [operator for stage in stages_of(levels.operators) for operator in stage.operators]
        self._paths = noted_paths(levels.run)
        self._searched: list[str] = []
        self._missing: list[str] = []

    def trace(self) -> Trace:
        """Return the way of the record."""
        found = self._in_ledger() or self._set_aside() or self._in_output() or _Found("not_found")
        if found.outcome == "not_found" and self._run.get("status") == "running":
            self._missing.append("batches in progress: the run has not ended")
        winner, place = self._winner(found)
        return Trace(
            self._run_id,
            self._record_id,
            found.outcome,
            tuple(self._steps(found)),
            found.file,
            found.record,
            winner,
            place,
            tuple(self._searched),
            tuple(self._missing),
            self._example() if found.outcome == "not_found" else None,
        )

    def _example(self) -> str | None:
        """Return the id of some record of the run."""
        ledger = find_rejects(self._run)
        files = [*filter(is_searched, self._output_files), *([] if ledger is None else ledger.files)]
        return next((record_id for path in files for record_id in ids_of(path)), None)

    # ── where it is ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _in_ledger(self) -> _Found | None:
        ledger = find_rejects(self._run)
        if ledger is not None and is_missing(ledger, self._run):
            self._missing.append("rejected records: no file of the ledger is in the folder that the run names")
            return None
        if ledger is not None:
            self._searched.append(f"{plural(len(ledger.files), 'file')} of the ledger of rejected records")
            file = file_with(ledger.files, self._record_id)
            if file is None:
                return None
            (row, *_) = RejectLedger([file]).read(RejectFilter(record_id=self._record_id), limit=1).to_pylist()
            return _Found("rejected", file, row)
        if self._run.get("rejected_records"):
            self._missing.append(f"rejected records: {how_to_keep(self._run)} keeps them")
        folder = self._paths.get("rejected_samples")
        path = None if folder is None else storage.join(folder, f"{self._run_id}.jsonl")
        if path is None or not storage.exists(path):
            return None
        self._searched.append("the samples of rejected records")
        line = line_with(path, self._record_id)
        return None if line is None else _Found("rejected", path, line)

    def _set_aside(self) -> _Found | None:
        for name, outcome in _SET_ASIDE.items():
            folder = self._paths.get(name)
            files = [] if folder is None else files_set_aside(folder, self._run_id)
            for path in files:
                if (line := line_with(path, self._record_id)) is not None:
                    return _Found(outcome, path, line)
            if files:
                self._searched.append(f"{plural(len(files), 'file')} of {name.replace('_', ' ')}")
        return None

    def _in_output(self) -> _Found | None:
        if not self._output_files:
            self._missing.append("the output: no file of this run is in a folder that it names")
            return None
        searched = sum(map(is_searched, self._output_files))
        if others := len(self._output_files) - searched:
            self._missing.append(f"{plural(others, 'file')} of the output: only Parquet and JSON lines are searched")
        if searched:
            self._searched.append(f"{plural(searched, 'file')} of the output")
        path = file_with(self._output_files, self._record_id)
        return None if path is None else _Found("written", path)

    @cached_property
    def _output_files(self) -> list[str]:
        """Files of the output, also those of a run that holds them back until it is complete."""
        output = self._paths.get("output")
        if output is None:
            return []
        folders = (output, storage.join(output, PENDING, self._run_id))
        return [path for folder in folders for path in files_of_run(folder, self._run_id)]

    def _winner(self, found: _Found) -> tuple[str | None, str | None]:
        """Return the record that a duplicate has lost to, and the file that it is in."""
        key = None if found.record is None else found.record.get("duplicate_of_key")
        if key is None:
            return None, None
        ledger = find_rejects(self._run)
        for path in [*self._output_files, *([] if ledger is None else ledger.files)]:
            for record_id in ids_of(path):
                if record_key(record_id) == key:
                    return record_id, path
        self._missing.append("the record that it lost to: it is neither in the output nor in the ledger")
        return None, None

    # ── what was done with it ─────────────────────────────────────────────────────────────────────────────────────────

    def _steps(self, found: _Found) -> list[TraceStep]:
        first, last = self._left_at(found)
        return [
            TraceStep(operator.stage, operator.name, *_did(found, operator, (at > last) - (at < first)))
            for at, operator in enumerate(self._operators)
        ]

    def _left_at(self, found: _Found) -> tuple[int, int]:
        """Return the first and the last operator at which the record may have left, as numbers in the plan.

        They are the same if known, those of a stage where a worker died over it, and all of the plan where
        the record is not found.
        """
        number = len(self._operators)
        record = found.record or {}
        stage, name = record.get("stage"), record.get("operator")
        if found.outcome == "written" or stage == WRITER_STAGE:
            return number, number
        if stage == LOADER_STAGE:
            return -1, -1
        there = [at for at, operator in enumerate(self._operators) if operator.stage == stage]
        exact = [at for at in there if self._operators[at].name == name] or there or range(number)
        return (exact[0], exact[-1]) if exact else (0, 0)


def _did(found: _Found, operator: OperatorTotals, behind: int) -> tuple[Did, str]:
    """Return what an operator did that is before, at or behind the place where the record left: -1, 0, 1."""
    if behind > 0:
        return "not_reached", ""
    if behind < 0:
        return _passed(operator)
    if found.outcome in ("rejected", "error", "dead_letter"):
        return found.outcome, _reason(found.record or {})
    return "unknown", ""


def _passed(operator: OperatorTotals) -> tuple[Did, str]:
    """Return what an operator did with a record that it passed on, as far as its counts tell.

    It changed this record if it changed all, and did not if it changed none.
    """
    notes = ["or did not match its condition"] if operator.unmatched else []
    changed = operator.changed_records
    if changed and changed == operator.output:
        return "changed", ""
    if changed:
        notes.insert(0, f"it changed {percent(100 * changed / operator.output)} of its records")
    return "passed", ", ".join(notes)


def _reason(record: Mapping[str, Any]) -> str:
    parts = [str(record.get("reason", ""))]
    if record.get("score") is not None:
        parts.append(f"score {record['score']:.6g}")
    if record.get("threshold") is not None:
        parts.append(f"threshold {record['threshold']:.6g}")
    if others := other_failed_rules(record):
        parts.append(f"also fails {', '.join(others)}")
    return ", ".join(parts)
