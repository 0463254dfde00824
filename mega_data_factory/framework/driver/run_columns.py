"""Columns of the run's row of metrics: what the plan says, what is in the books, and what is in no file yet."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from mega_data_factory._version import __version__
from mega_data_factory.framework.batch import StagedBatch
from mega_data_factory.framework.driver.books import Books
from mega_data_factory.framework.driver.source_share import SourceShare
from mega_data_factory.framework.driver.splits import SourceSize
from mega_data_factory.framework.metrics import OperatorMetrics
from mega_data_factory.framework.plan import Plan
from mega_data_factory.host import host_name
from mega_data_factory.redaction import redacted, without_credentials


class RunColumns:
    """Columns of the run's row.

    Args:
        plan: what runs.
        books: the account of the run.

    Attributes:
        finished: whether the run has come to its end, so that everything planned must be in the books.
        source: what is known of the size of the source.
        pending_output: folder in which data files wait until the run is complete; None if they are in their place.
    """

    def __init__(self, plan: Plan, books: Books) -> None:
        self.finished = False
        self.source = SourceSize()
        self.pending_output: str | None = None
        self._plan = plan
        self._books = books
        self._share: SourceShare | None = None
        self._passed: dict[str, StagedBatch] = {}  # in no file yet, by id of the batch
        self._passed_input = self._passed_output = 0

    def add_passed(self, staged: StagedBatch, share: SourceShare | None) -> None:
        """Add a batch that has passed all stages and is in no file yet.

        Args:
            staged: the batch.
            share: how much of the source has passed all stages with it, if known.
        """
        self._share = share
        self._passed[staged.batch.id] = staged
        self._passed_input += staged.batch.records
        self._passed_output += staged.records

    def remove_passed(self, batch_id: str) -> Sequence[OperatorMetrics]:
        """Remove a batch that is committed now, and return the metrics with which it was added, if it was."""
        staged = self._passed.pop(batch_id, None)
        if staged is None:
            return ()
        self._passed_input -= staged.batch.records
        self._passed_output -= staged.records
        return staged.batch.metrics

    def known_at_start(self) -> Mapping[str, Any]:
        """Return what is known before the first batch."""
        settings = self._plan.executor.metrics
        return {
            "pipeline": self._plan.config.name,
            "engine": self._plan.executor.engine,
            "mdf_version": __version__,
            "config": redacted(self._plan.config.as_written(), (*settings.redact, "headers")),
            "flush_interval": settings.flush_interval,
            "hostname": host_name(),
            "pid": os.getpid(),
            "paths": self.paths(),
        }

    def paths(self) -> Mapping[str, str]:
        """Return where everything is: the output in its folder or, until the run is complete, where it waits."""
        paths = {name: without_credentials(path) for name, path in self._plan.paths().items()}
        if self.pending_output is not None and not self.finished:
            paths["output"] = without_credentials(self.pending_output)
        return paths

    def booked(self) -> dict[str, Any]:
        """Return what is in the books. Threads that write metrics must not read the books themselves: they change."""
        books = self._books
        return {
            "total_input_records": books.read,
            "total_output_records": books.written,
            "planned_records": self._planned(),
            "committed_records": books.written,
            "processed_records": books.processed,
            "dead_lettered_records": books.dead_lettered,
            "loader_errors": books.loader_errors,
            "writer_errors": books.writer_errors,
            "batches": books.batches,
            "retried_batches": books.retried_batches,
            "output_files": len(books.output_files),
            "output_bytes": books.output_bytes,
            "loader_seconds": books.loader_seconds,
            "writer_seconds": books.writer_seconds,
            **self.uncommitted(),
        }

    def uncommitted(self) -> dict[str, Any]:
        """Return what has passed all stages and is in no file yet, and the share of the source that has."""
        return {
            "source_share": self._share.value if self._share else None,
            "source_unit": self._share.unit if self._share else None,
            "uncommitted_input_records": self._passed_input,
            "uncommitted_output_records": self._passed_output,
        }

    def _planned(self) -> int | None:
        """Return the records that the source says it has; at the end of the run those that it gave."""
        known = self.source.records
        if self.finished or known is None:
            return self._books.planned if self.finished else None
        return max(known, self._books.planned)
