"""Reject ledger of an observed run: rows of rejected records as Parquet files, of the accounts that count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa

from mega_data_factory.errors import MdfError
from mega_data_factory.framework.metrics.store.files.beside import set_aside_folder
from mega_data_factory.observe.counting.survey.reject_rows import rows_not_known, unpacked
from mega_data_factory.observe.driver.definitions.defined_steps import DefinedStep
from mega_data_factory.redaction.loggers import logger
from mega_data_factory.rejects import SCHEMA, RejectLedger, remove_rejects, write_rejects
from mega_data_factory.storage import Location, absolute, join

_log = logger("mega_data_factory.observe")

_ROWS_OF_FILE = 65_536
"""Rows after which the next file is begun."""


class NewRejects(NamedTuple):
    """Rows of an account that counts.

    Attributes:
        step: id of the step.
        key: of the account; None for one that adds, and is never replaced.
        rows: of rejected records, as `reject_rows` packs them. Those of an earlier account of this key do not count.
        rejected: rejected records of the account; those without a row get one without an id.
        reasons: of these.
    """

    step: str
    key: str | None
    rows: list[bytes]
    rejected: int
    reasons: Mapping[str, int]


@dataclass
class _File:
    """A file of the ledger.

    Attributes:
        name: of the file.
        owners: for each run of rows, in order, their account and number.
        tables: the rows, in that order; empty once the file is full, to be read from there.
        written: whether the file is as this object says.
    """

    name: str
    owners: list[tuple[tuple[str, str | None], int]] = field(default_factory=list)
    tables: list[pa.Table] = field(default_factory=list)
    written: bool = True

    @property
    def rows(self) -> int:
        """Rows of the file."""
        return sum(number for _, number in self.owners)


class RejectFiles:
    """Writes rows of rejected records as they arrive; a file whose rows were replaced is written again without them.

    The file that is open is written again at each `write` that has new rows, until it is full.

    Args:
        metrics: the metrics folder.
        run_id: the run.

    Attributes:
        folder: with a folder for each run.
        failed: whether a file could not be written.
    """

    def __init__(self, metrics: Location, run_id: str) -> None:
        self.folder = absolute(set_aside_folder(metrics, "rejects"))
        self.failed = False
        self._run_id = run_id
        self._files: list[_File] = []
        self._places: dict[tuple[str, str | None], set[int]] = {}  # account → numbers of its files

    def start(self) -> None:
        """Remove the ledger of an earlier run of the same name.

        Raises:
            OutputError: a file may not be removed.
        """
        remove_rejects(join(self.folder, self._run_id))

    def write(self, new: Iterable[NewRejects], steps: Mapping[str, DefinedStep]) -> None:
        """Write the rows of accounts in place of those of earlier accounts of their keys; a failure is logged.

        Args:
            new: rows of accounts.
            steps: the steps of the run by their ids; rows of others are dropped.
        """
        try:
            for owner in [owner for owner in self._places if owner[0] not in steps]:
                self._drop(owner)  # a cell of a notebook has defined the step again
            for account in new:
                owner = account.step, account.key
                if account.key is not None:
                    self._drop(owner)
                if account.step in steps:
                    self._add(owner, _rows(account, self._run_id, steps[account.step]))
            for file in self._files:
                self._write_file(file)
        except MdfError as error:
            if not self.failed:
                _log.error("rejected records could not be written, their ledger is incomplete: %s", error)
            self.failed = True

    def _add(self, owner: tuple[str, str | None], tables: Iterable[pa.Table]) -> None:
        for table in tables:
            if not self._files or self._files[-1].rows >= _ROWS_OF_FILE:
                if self._files:
                    self._write_file(self._files[-1])
                    self._files[-1].tables = []
                self._files.append(_File(f"part-{len(self._files):05d}.parquet"))
            file = self._files[-1]
            file.owners.append((owner, table.num_rows))
            file.tables.append(table)
            file.written = False
            self._places.setdefault(owner, set()).add(len(self._files) - 1)

    def _drop(self, owner: tuple[str, str | None]) -> None:
        for number in self._places.pop(owner, ()):
            file = self._files[number]
            tables = file.tables or self._read(file)
            kept = [(o, table) for (o, _), table in zip(file.owners, tables, strict=True) if o != owner]
            file.owners = [(o, table.num_rows) for o, table in kept]
            file.tables = [table for _, table in kept]
            file.written = False

    def _read(self, file: _File) -> list[pa.Table]:
        if not file.owners:
            return []
        table = RejectLedger([self._path(file)]).read()
        starts = [sum(number for _, number in file.owners[:at]) for at in range(len(file.owners))]
        return [table.slice(start, number) for start, (_, number) in zip(starts, file.owners, strict=True)]

    def _write_file(self, file: _File) -> None:
        if file.written:
            return
        write_rejects(self._path(file), pa.concat_tables(file.tables) if file.tables else SCHEMA.empty_table())
        file.written = True
        if file is not self._files[-1]:
            file.tables = []

    def _path(self, file: _File) -> str:
        return join(self.folder, self._run_id, file.name)


def _rows(account: NewRejects, run_id: str, step: DefinedStep) -> Iterator[pa.Table]:
    """Yield a row for every rejected record of an account."""
    known = [unpacked(part) for part in account.rows]
    if sum(rows.num_rows for rows in known) < account.rejected:
        known.append(rows_not_known(account.reasons, account.rejected, known))
    for rows in known:
        if rows.num_rows:
            yield _whole(rows, run_id, step)


def _whole(rows: pa.Table, run_id: str, step: DefinedStep) -> pa.Table:
    """Return rows of the ledger."""
    known = {"run_id": run_id, "stage": step.stage, "operator": step.name}
    columns = {
        column.name: rows.column(column.name)
        if column.name in rows.column_names
        else pa.repeat(pa.scalar(known.get(column.name), column.type), rows.num_rows)
        for column in SCHEMA
    }
    return pa.table(columns, schema=SCHEMA)
