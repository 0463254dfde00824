"""Sums of the records of a step by slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.framework.metrics.details.slice_counts import COUNTS, SliceCounts
from mega_data_factory.framework.metrics.details.slices import StageSlices
from mega_data_factory.observe.counting.survey.reject_rows import UNSPECIFIED, Rejected
from mega_data_factory.observe.counting.survey.sheets import SheetMaker, Watch

Integers: TypeAlias = npt.NDArray[np.int64]

_Sheets: TypeAlias = Sequence[pa.Table]


@dataclass(frozen=True)
class Place:
    """Where a survey is made.

    Attributes:
        stage: name of the stage.
        operator: name of the step.
        index: place of the step in its stage.
        reason: reason of records that are left out and not rejected by name; None if none was given.
    """

    stage: str
    operator: str
    index: int
    reason: str | None


class SliceSums:
    """Sums of the records of a step by slice, for each entry of `slice_by`.

    Args:
        watch: what is looked at.
        place: of the step.
    """

    def __init__(self, watch: Watch, place: Place) -> None:
        self._watch = watch
        self._place = place
        self._sums: dict[str, StageSlices] = {}

    def add(self, fates: tuple[_Sheets, _Sheets, _Sheets], rejected: Sequence[Rejected], maker: SheetMaker) -> None:
        """Add records.

        Args:
            fates: sheets of the records offered, passed on, and failed.
            rejected: those rejected by name.
            maker: of the sheets.
        """
        for at, column in enumerate(self._watch.names):
            self._add(column, self._measured(at, column, fates, rejected, maker))

    def include(self, other: SliceSums) -> None:
        """Add the sums of another, which must not be used any more."""
        for column, slices in other._sums.items():
            self._add(column, slices)

    def _add(self, column: str, slices: StageSlices) -> None:
        if column in self._sums:
            self._sums[column].add(slices)
        else:
            self._sums[column] = slices

    def details(self, *, final: bool) -> list[StageSlices]:
        """Return the sums; what of the records offered is known by no more was rejected.

        Args:
            final: whether nothing is added after this, so that they need not be copied.
        """
        found = []
        for slices in self._sums.values():
            whole = slices if final else StageSlices.from_wire(slices.to_wire())
            whole.explain_missing(self._place.operator, self._place.reason or UNSPECIFIED)
            found.append(whole)
        return found

    def _measured(
        self,
        at: int,
        column: str,
        fates: tuple[_Sheets, _Sheets, _Sheets],
        rejected: Sequence[Rejected],
        maker: SheetMaker,
    ) -> StageSlices:
        groups = [*fates, [one.sheet for one in rejected]]
        chunks = [chunk for group in groups for sheet in group for chunk in sheet.column(f"slice_{at}").chunks]
        encoded = pa.chunked_array(chunks, pa.string()).combine_chunks().dictionary_encode("encode")
        values, codes = encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)
        ends = np.cumsum([0, *(sum(sheet.num_rows for sheet in group) for group in groups)])
        parts = [codes[start:end] for start, end in pairwise(ends)]
        counts = SliceCounts(self._place.index, maker.present[at], np.zeros((len(COUNTS), len(values)), np.int64))
        for row, part in enumerate(parts[:3]):
            counts.counts[row] = np.bincount(part, minlength=len(values))
        for known, first, name in ((maker.has_text, 3, "bytes"), (maker.has_tokens, 5, "tokens")):
            for way in (0, 1) if known else ():
                counts.counts[first + way] = np.bincount(parts[way], _sizes(groups[way], name), len(values))
                counts.known.add(COUNTS[first + way])
        start = 0
        for one in rejected:
            own = parts[3][start : start + one.sheet.num_rows]
            start += len(own)
            for reason in one.reason.unique().to_pylist():
                mine = own[pc.equal(one.reason, reason).to_numpy(zero_copy_only=False)]
                counts.of_reason(reason)[:] += np.bincount(mine, minlength=len(values))
        place = self._place
        return StageSlices.measured(place.stage, column, self._watch.shown, place.operator, values, counts)


def _sizes(sheets: _Sheets, name: str) -> Integers:
    arrays = [sheet.column(name).fill_null(0).to_numpy() for sheet in sheets]
    return np.concatenate(arrays) if arrays else np.zeros(0, np.int64)
