"""Survey of the records of a step: what became of each, added up by slice, and the rows of those rejected."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.framework.judgement import Judgement
from mega_data_factory.framework.metrics.details.slices import StageSlices
from mega_data_factory.observe.counting.forms.form import Form
from mega_data_factory.observe.counting.survey.reject_rows import UNSPECIFIED, Rejected, left_of, packed
from mega_data_factory.observe.counting.survey.sheets import Row, SheetMaker, Watch
from mega_data_factory.observe.counting.survey.slice_sums import Place, SliceSums

_FOLD_RECORDS = 16_384
"""Records after which what is known of them is added up, so that a stream takes bounded memory."""

_ROWS_OF_SHEET = 1_000
"""Single records that become a sheet together."""


class _Group:
    """Records of one fate.

    Attributes:
        sheets: of batches.
        rows: of single records that are not in a sheet yet, in order behind them.
    """

    __slots__ = ("rows", "sheets")

    def __init__(self) -> None:
        self.sheets: list[pa.Table] = []
        self.rows: list[Row] = []

    def include(self, other: _Group) -> None:
        """Add the records of another."""
        self.sheets += other.sheets
        self.rows += other.rows


class Survey:
    """What became of the records of one account.

    Records are offered before the step sees them, as it may change them in place. What of them is neither passed on nor
    failed when the account is made was rejected.

    Args:
        watch: what is looked at.
        place: of the step.

    Attributes:
        bytes_in, bytes_out: bytes of text of the records offered and passed on, up to the last `fold`.
        tokens_in, tokens_out: tokens of the records offered and passed on, likewise.
    """

    def __init__(self, watch: Watch, place: Place) -> None:
        self._watch = watch
        self._place = place
        self._maker = SheetMaker(watch)
        self._slices = SliceSums(watch, place)
        self.bytes_in = self.bytes_out = self.tokens_in = self.tokens_out = 0
        self._last: pa.Table | Row | None = None  # offered last
        self._left: list[pa.Table] = []  # offered, and known by no more, when the rest was added up
        self._rows: list[pa.Table] = []  # of the reject ledger: records rejected by name
        self._clear()

    def _clear(self) -> None:
        self._offered, self._passed, self._failed = _Group(), _Group(), _Group()
        self._rejected: list[Rejected] = []
        self._left_out: list[Row] = []
        self._rejected_before = 0
        self._records = 0

    @property
    def _reason(self) -> str:
        return self._place.reason or UNSPECIFIED

    @property
    def wanted(self) -> list[str]:
        """Columns of the records that are looked at, where they have them."""
        return self._maker.wanted

    # ── what becomes of records ───────────────────────────────────────────────────────────────────────────────────

    def offer(self, value: Any, form: Form | None) -> None:
        """Take records that the step is given.

        Args:
            value: a batch, or a single record.
            form: of the batch; None for a single record.
        """
        self._add(self._offered, value, form, _new_number() if self._watch.rejects else None)
        self._rejected_before = len(self._rejected)
        self._last = self._offered.rows[-1] if form is None else self._offered.sheets[-1]

    def pass_on(self, value: Any, form: Form | None) -> None:
        """Take records that the step gives."""
        self._add(self._passed, value, form)

    def pass_on_changed(self, value: Any, form: Form | None) -> None:
        """Take what the step made of each of the records offered last, in their order.

        Their bytes and tokens are those that they have now; their slices and ids those that they came with.
        """
        last = self._last
        if form is not None and isinstance(last, pa.Table):
            self._passed.sheets.append(self._maker.changed_sheet(last, value, form))
            self._records += last.num_rows
            return
        self._add(self._passed, value, form)
        if form is None and isinstance(last, list):
            self._passed.rows[-1] = self._maker.changed_row(last, self._passed.rows[-1])

    def _add(self, group: _Group, value: Any, form: Form | None, number: int | None = None) -> None:
        self._make_room(group)
        if form is None:
            group.rows.append(self._maker.row(value, number))
            self._records += 1
        else:
            self._settle(group)
            group.sheets.append(self._maker.sheet(value, form, number))
            self._records += group.sheets[-1].num_rows

    def _make_room(self, group: _Group) -> None:
        if self._records > _FOLD_RECORDS:
            self.fold()
        elif len(group.rows) >= _ROWS_OF_SHEET:
            self._settle(group)

    def take_back(self) -> None:
        """Forget the single record that was offered last, and what was rejected since then."""
        self._offered.rows.pop()
        del self._rejected[self._rejected_before :]

    def split_last(self) -> Survey:
        """Take the single record back that was offered last; return a survey of what was rejected since then."""
        other = Survey(self._watch, self._place)
        other._rejected = self._rejected[self._rejected_before :]
        other._maker.include(self._maker)
        self.take_back()
        return other

    def forget_passed(self) -> None:
        """Forget what was passed on and not added up yet."""
        self._passed = _Group()

    def keep(self, kept: Sequence[bool] | None = None) -> None:
        """Take the decision on the records offered last: those kept are passed on as they came.

        Args:
            kept: for each record whether it is; None keeps all.
        """
        last = self._last
        if isinstance(last, pa.Table):
            self._passed.sheets.append(last if kept is None else last.filter(pa.array(kept, pa.bool_())))
            self._records += self._passed.sheets[-1].num_rows
        elif last is not None and (kept is None or kept[0]):
            self._passed.rows.append(last)
            self._records += 1

    def judge(self, judgement: Judgement) -> None:
        """Take the judgement of the records offered last; those that stay are passed on by `keep` or `pass_on`."""
        rejected = pc.indices_nonzero(pc.is_valid(judgement.reason))
        if not len(rejected) or self._last is None:
            return
        offered = self._last if isinstance(self._last, pa.Table) else self._maker.sheet_of_rows([self._last])
        sheet, number = offered.take(rejected), len(rejected)
        score, threshold = (
            pa.nulls(number, pa.float64()) if numbers is None else numbers.take(rejected).cast(pa.float64())
            for numbers in (judgement.score, judgement.threshold)
        )
        reason = judgement.reason.take(rejected)
        self._rejected.append(Rejected(sheet, reason, score, threshold, judgement.failed_rules().take(rejected)))

    def reject(self, value: Any, form: Form | None, reason: str, score: float | None, threshold: float | None) -> None:
        """Take records that the step rejects by name."""
        sheet = self._maker.sheet_of_rows([self._maker.row(value)]) if form is None else self._maker.sheet(value, form)
        self._rejected.append(Rejected.alike(sheet, reason, score, threshold))

    def leave_out(self) -> None:
        """Take the single record that was offered last as rejected, for the reason of the step."""
        self._left_out.append(self._offered.rows[-1])

    def fail(self) -> None:
        """Take all records offered as errors: the step has raised."""
        self._failed.include(self._offered)
        self._rejected.clear()

    def fail_last(self, records: int) -> None:
        """Take the records offered last as errors.

        Args:
            records: how many; of those that have been added up, none is left to be taken.
        """
        self._settle(self._offered)
        if records and self._offered.sheets:
            offered = pa.concat_tables(self._offered.sheets)
            self._failed.sheets.append(offered.slice(max(0, offered.num_rows - records)))

    def include(self, other: Survey) -> None:
        """Add what another survey of the same step has seen; it must not be used any more."""
        self._offered.include(other._offered)
        self._passed.include(other._passed)
        self._failed.include(other._failed)
        self._rejected += other._rejected
        self._left_out += other._left_out
        self._maker.include(other._maker)
        self._records += other._records
        self.bytes_in += other.bytes_in
        self.bytes_out += other.bytes_out
        self.tokens_in += other.tokens_in
        self.tokens_out += other.tokens_out
        self._slices.include(other._slices)
        self._left += other._left
        self._rows += other._rows

    def _settle(self, group: _Group) -> None:
        """Make a sheet of single records."""
        if group.rows:
            group.sheets.append(self._maker.sheet_of_rows(group.rows))
            group.rows = []

    # ── sums ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def details(self, *, final: bool = False) -> list[StageSlices]:
        """Return the slices of all records so far; rejected are those of which nothing else is known.

        Args:
            final: whether nothing is added after this.
        """
        self.fold()
        return self._slices.details(final=final)

    def fold(self) -> None:
        """Add up what is known, and drop the records."""
        if not self._records and not self._rejected:
            return
        for group in (self._offered, self._passed, self._failed):
            self._settle(group)
        if self._maker.has_text:
            self.bytes_in += _sum(self._offered.sheets, "bytes")
            self.bytes_out += _sum(self._passed.sheets, "bytes")
        if self._maker.has_tokens:
            self.tokens_in += _sum(self._offered.sheets, "tokens")
            self.tokens_out += _sum(self._passed.sheets, "tokens")
        if self._left_out:
            self._rejected.append(Rejected.alike(self._maker.sheet_of_rows(self._left_out), self._reason))
        self._slices.add((self._offered.sheets, self._passed.sheets, self._failed.sheets), self._rejected, self._maker)
        if self._watch.rejects:
            self._fold_rejects()
        self._clear()

    def _fold_rejects(self) -> None:
        sheets = [*self._left, *self._offered.sheets]
        named = [rejected.sheet for rejected in self._rejected]
        if sheets:
            left = left_of(pa.concat_tables(sheets), [*self._passed.sheets, *self._failed.sheets, *named])
            self._left = [left] if left.num_rows else []
        self._rows += [rejected.rows() for rejected in self._rejected]

    def reject_rows(self, rejected: int) -> list[bytes]:
        """Return rows of the reject ledger, packed, of all records so far; there is nothing to be added after this.

        If it is not known which records were left out, as their number is another, these have no rows.

        Args:
            rejected: records that the account has as rejected.
        """
        self.fold()
        if not self._watch.rejects or not rejected:
            return []
        left_out = rejected - sum(rows.num_rows for rows in self._rows)
        left = pa.concat_tables(self._left) if self._left else None
        if left is not None and left.num_rows == left_out:
            self._rows.append(Rejected.alike(left, self._reason).rows())
        return [content] if (content := packed(self._rows)) else []


_numbers = itertools.count()


def _new_number() -> int:
    """Return a number that no record of this process has, nor the 2^32 - 1 numbers behind it."""
    return (next(_numbers) & 0x7FFF_FFFF) << 32


def _sum(sheets: Sequence[pa.Table], name: str) -> int:
    return sum(pc.sum(sheet.column(name)).as_py() or 0 for sheet in sheets)
