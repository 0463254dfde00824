"""Files of single runs: which of them hold rows, and their tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from mega_data_factory.framework.metrics.store.files.decoding import (
    FileVanished,
    NotAMetricsFile,
    owners,
    read_run_file,
)
from mega_data_factory.framework.metrics.store.files.layout import SEGMENTED, file_of, segment_files
from mega_data_factory.framework.metrics.store.files.listing import TableFiles
from mega_data_factory.framework.metrics.store.reading.gaps import Gaps
from mega_data_factory.framework.metrics.store.reading.skipped_files import SkippedFiles
from mega_data_factory.storage import Location, is_local, join

_READERS = 16
"""Requests at once to a remote store."""


class SingleRunFiles:
    """Reads the files of single runs of one metrics folder.

    Args:
        path: the metrics folder.
        skipped: where files are noted that are no metrics files.
    """

    def __init__(self, path: Location, skipped: SkippedFiles) -> None:
        self.gaps = Gaps()
        self._path = path
        self._skipped = skipped

    def paths(self, kind: str, files: TableFiles, run_id: str | None = None) -> list[str]:
        """Return the files of single runs that hold rows of a table, as locations.

        Args:
            kind: the table.
            files: its files.
            run_id: only this run.

        Raises:
            FileVanished: segments were being folded while they were listed.
        """
        if kind in SEGMENTED:
            return [files.own[name] for name in self._segment_names(kind, files, run_id)]
        if run_id is not None:
            name = file_of(kind, run_id).rpartition("/")[2]
            return [files.own[name]] if name in files.own else []
        return list(files.own.values())

    def _segment_names(self, kind: str, files: TableFiles, run_id: str | None) -> list[str]:
        found = segment_files(kind, files.own)
        if run_id is not None:
            stem = run_id.removeprefix("run_")
            found = {stem: found[stem]} if stem in found else {}
        self.gaps.check(join(self._path, kind), found.values())
        return sorted(name for run in found.values() for name in run.names)

    def read(
        self, kind: str, paths: Sequence[str], columns: Sequence[str] | None = None, *, missing_ok: bool = False
    ) -> Iterator[tuple[str, pa.Table]]:
        """Yield path and table of every file that is one of ours.

        Args:
            kind: the table.
            paths: the files.
            columns: only these; all by default.
            missing_ok: leave out files that are not there.

        Raises:
            FileVanished: one is missing.
            MetricsError: one is of a newer version.
        """

        def read_one(path: str) -> tuple[str, pa.Table | None]:
            try:
                table = read_run_file(path, kind, columns)
                _check_name(path, kind, owners(table))
                return path, table
            except NotAMetricsFile as error:
                self._skipped.note(path, error)
                return path, None
            except FileVanished:
                if missing_ok:
                    return path, None
                raise

        if is_local(self._path) or len(paths) < 2:
            found: Iterator[tuple[str, pa.Table | None]] = map(read_one, paths)
        else:
            with ThreadPoolExecutor(_READERS) as pool:
                found = iter(list(pool.map(read_one, paths)))
        return ((path, table) for path, table in found if table is not None)


def _check_name(path: str, kind: str, runs: set[str]) -> None:
    """Refuse a file that has another name than the files of its run: a copy of one would count twice.

    Raises:
        NotAMetricsFile: says which run it is of.
    """
    name = path.rpartition("/")[2]
    for run_id in runs:
        if kind in SEGMENTED:
            right = run_id.removeprefix("run_") in segment_files(kind, [name])
        else:
            right = name == file_of(kind, run_id).rpartition("/")[2]
        if not right:
            raise NotAMetricsFile(f"it is of the run {run_id}, whose files have other names")
