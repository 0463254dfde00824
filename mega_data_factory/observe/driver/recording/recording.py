"""Recording of an observed run, on the driver: accounts in, metrics files out, while it runs and at its end."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mega_data_factory._version import __version__
from mega_data_factory.clock import utc_now
from mega_data_factory.framework.metrics.collector import MetricsCollector, Snapshot
from mega_data_factory.framework.metrics.details.totals import DetailTotals
from mega_data_factory.framework.metrics.live.export_threads import Exports
from mega_data_factory.framework.metrics.live.exporting import ExportHealth, ExportSnapshot
from mega_data_factory.framework.metrics.live.flusher import MetricsFlusher
from mega_data_factory.framework.metrics.live.intervals import IntervalSampler
from mega_data_factory.framework.metrics.nodes import NodeBuffer
from mega_data_factory.framework.metrics.rows.operator import OperatorMetrics
from mega_data_factory.framework.metrics.rows.rollup import account_differences
from mega_data_factory.framework.metrics.tracking.run_totals import RunTotals
from mega_data_factory.framework.metrics.writer import MetricsWriter
from mega_data_factory.host import host_name
from mega_data_factory.observe.connection import Addresses
from mega_data_factory.observe.driver.checking import exporter_name
from mega_data_factory.observe.driver.definitions.defined_steps import DefinedStep, DefinedSteps
from mega_data_factory.observe.driver.notebook import Cell
from mega_data_factory.observe.driver.recording.ledger import Ledger, to_rows
from mega_data_factory.observe.driver.recording.leftovers import remove_leftovers
from mega_data_factory.observe.driver.recording.nodes import SampledNodes
from mega_data_factory.observe.driver.recording.own_cost import seconds_in_steps
from mega_data_factory.observe.driver.recording.reject_files import RejectFiles
from mega_data_factory.observe.driver.recording.set_aside import SetAsideFiles
from mega_data_factory.observe.driver.settings import ObserveSettings
from mega_data_factory.observe.engines import loaded_engines
from mega_data_factory.observe.engines.engine import Engine, RunPlace
from mega_data_factory.observe.engines.plain import PlainPython
from mega_data_factory.redaction import redacted
from mega_data_factory.redaction.loggers import logger

_log = logger("mega_data_factory.observe")


class Recording:
    """Records one run.

    Args:
        settings: of the run.
        run_id: name of the run; generated when None.

    Attributes:
        ledger: takes accounts.
        steps: of the run.
        collector: holds the metrics.
        gathering_seconds: CPU time spent on reading accounts and adding them up.

    Raises:
        ValueError: the run id cannot be the name of a file.
    """

    def __init__(self, settings: ObserveSettings, run_id: str | None) -> None:
        self.ledger = Ledger(settings.flush_interval, keeps_rejects=settings.rejects)
        self.steps = DefinedSteps()
        self.gathering_seconds = 0.0
        self.collector = _ObservedCollector(self, run_id)
        self.run_id = self.collector.run_id
        self._settings = settings
        self._place = RunPlace(self.run_id, settings.account_folder(self.run_id), self.steps.full_name)
        self._samples = IntervalSampler(self.run_id, settings.flush_interval)
        self._details = DetailTotals()
        self._nodes = NodeBuffer(self.run_id, settings.node_interval) if settings.node_interval else None
        self._sampled = SampledNodes(self._nodes, settings)
        self._exports = Exports({exporter_name(e): e for e in settings.exporters}, self._snapshot_to_export)
        self._flusher = MetricsFlusher(
            self.collector,
            self._samples,
            MetricsWriter(settings.metrics, replace=True, make_folders=False),
            self._nodes,
            details=self._details,
            interval=settings.flush_interval,
        )
        self._totals: RunTotals | None = None
        self._engines: dict[str, Engine] = {}
        self._gathering = threading.Lock()
        self._set_aside = SetAsideFiles(settings, self.run_id)
        self._rejects = RejectFiles(settings.metrics, self.run_id) if settings.rejects else None
        self._shown: set[tuple[str, str, str, str]] = set()
        self._notes: dict[str, str] = {}
        self._sent = False
        self._config_changed = False

    # ── engines ───────────────────────────────────────────────────────────────────────────────────────────────────

    def engines(self) -> list[Engine]:
        """Return the driver's half of every engine whose module is loaded by now, plain Python last."""
        kinds: list[type[Engine]] = [*loaded_engines(), PlainPython]
        for kind in kinds:
            if kind.name not in self._engines:
                self._engines[kind.name] = kind(self._place)
        return [self._engines[kind.name] for kind in kinds]

    def addresses(self) -> Addresses:
        """Return what workers need to deliver, by engine; an engine that is not in use has none."""
        self._sent = True
        found = {engine.name: engine.address() for engine in self.engines()}
        return {name: address for name, address in found.items() if address is not None}

    # ── the run ───────────────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Write the metrics of the run at once, while it runs, and at its end, however it ends."""
        remove_leftovers(self._settings)
        if self._rejects is not None:
            self._rejects.start()
        try:
            with self.collector.track_run() as totals, self._sampling():
                self._totals = totals
                self._introduce()
                self._flusher.start()
                self._exports.start()
                try:
                    yield
                finally:
                    self._close_books()
        finally:
            self._exports.end()  # they take the metrics of the end while these are written
            self._set_aside.add(self.ledger.examples(), self.steps.places())
            self._set_aside.finish()
            failure = self._flusher.finish()
            if failure is not None:
                _log.error("%s; what is there shows an earlier state of this run", failure)
            self._exports.finish()
            for engine in self._engines.values():
                engine.stop()

    @contextmanager
    def defining(
        self, name: str, stage: str, function: str, options: Mapping[str, Any], cell: Cell | None
    ) -> Iterator[DefinedStep]:
        """Enter a step in the run when the block ends; what one that it replaces has counted is dropped."""
        with self.steps.defining(name, stage, function, options, cell) as (step, replaced):
            yield step
        if replaced is not None:
            self.ledger.forget(replaced.id)
            self._notes[f"cell {step.stage}/{step.name}"] = (
                f"the cell that defines the step {step.name} of {step.stage} was executed again; only its last "
                "execution counts"
            )
        self._config_changed = True

    def gather(self) -> None:
        """Take the accounts that have arrived, and enter what they add up to in the metrics."""
        with self._gathering:
            started = time.thread_time()
            engines = list(self._engines.values())
            for engine in engines:
                engine.collect(self.ledger.take)
            if self._totals is not None:
                self._sampled.follow(engines)
            new = self.ledger.settle()
            places = self.steps.places()
            self._samples.add_rows(to_rows(new, self.run_id, places))
            self._set_aside.add(self.ledger.take_set_aside(), places)
            if self._rejects is not None:
                self._rejects.write(self.ledger.take_rejects(), places)
            totals = [account for account in self.ledger.totals() if account.step in places]
            if details := [detail for account in totals for detail in account.details]:
                self._details.replace(details)
            rows = {row.key: row for row in to_rows(totals, self.run_id, places)}
            for key in self._shown - rows.keys():  # of a step that was defined again
                self.collector.add_operator_metrics(OperatorMetrics(*key), batch_id=key[-1])
            for row in rows.values():
                self.collector.add_operator_metrics(row, batch_id=row.worker_id)  # the last one counts
            self._shown |= rows.keys()
            if self._totals is not None:
                self._totals.set(export_failures=self._exports.failures)
                self.collector.exporting_seconds = self._exports.seconds
                self._totals.set(engine=self._engine_text(), retried_batches=self.ledger.repeated)
                if self._config_changed:
                    self._config_changed = False
                    self._totals.set(config=self._config())
            self.gathering_seconds += time.thread_time() - started

    @contextmanager
    def _sampling(self) -> Iterator[None]:
        """Sample the machines of the run."""
        self._sampled.start(self.engines())
        try:
            yield
        finally:
            self._sampled.end()

    def _introduce(self) -> None:
        assert self._totals is not None
        self.engines()
        self._totals.set(
            pipeline=self._settings.name,
            engine=self._engine_text(),
            mdf_version=__version__,
            config=self._config(),
            paths=self._set_aside.folders | ({} if self._rejects is None else {"rejects": self._rejects.folder}),
            flush_interval=self._settings.flush_interval,
            hostname=host_name(),
            pid=os.getpid(),
        )

    def _engine_text(self) -> str:
        """Return the engines that have delivered, with their versions; all that are loaded before the first has."""
        used = [self._engines[name] for name in self.ledger.engines if name in self._engines]
        return ", ".join(f"{engine.name} {engine.version()}".strip() for engine in used or self.engines()[:1])

    def _snapshot_to_export(self, health: Sequence[ExportHealth]) -> ExportSnapshot:
        """Return the run as it is now, for exporters."""
        snapshot = self.collector.snapshot()
        assert snapshot is not None, "exporters work while a run is tracked, and after"
        snapshot.run.heartbeat = utc_now()
        nodes = self._nodes.newest() if self._nodes else ()
        details, metrics = self._details, self._settings.metrics
        return ExportSnapshot(
            snapshot.run, snapshot.stages, snapshot.operators, nodes, health, details=details, metrics_path=metrics
        )

    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = {"observed": {"steps": self.steps.as_config()}}
        used = [self._engines[name] for name in self.ledger.engines if name in self._engines]
        if used:
            config["observed"]["guarantees"] = {engine.name: dict(engine.guarantees) for engine in used}
        if self._settings.prices:
            config["observed"]["prices"] = dict(self._settings.prices)
        if self._notes:
            config["observed"]["notes"] = list(self._notes.values())
        if self._settings.config:
            config["config"] = dict(self._settings.config)
        return redacted(config, self._settings.redact)

    def _close_books(self) -> None:
        assert self._totals is not None
        self.gather()
        rows = self.collector.get_operator_metrics()
        differences = sum(difference.records for difference in account_differences(rows))
        for engine in self._engines.values():
            if engine.name in self.ledger.engines:
                self._notes |= {note: note for note in engine.notes()}
        if self._sent and not self.ledger.engines:
            self._notes["nothing"] = (
                "no counts of a step have arrived. Either no step was executed while the run lasted (lazy engines "
                "execute in an action, which belongs into the block), or driver and workers do not share the folder "
                f"{self._place.folder.parent}: name one that they share, mdf.observe(..., accounts=FOLDER)"
            )
            _log.warning("%s: %s", self.run_id, self._notes["nothing"])
        if self._rejects is not None and self._rejects.failed:
            self._notes["rejects"] = "the ledger of rejected records is incomplete: a file could not be written"
        if self.ledger.repeated:
            self._notes["repeated"] = (
                f"{self.ledger.repeated:,} batches were processed more than once (retried, or computed again by the "
                "engine); each counts once, as its last execution counted it"
            )
        if self.ledger.unknown:
            self._notes["unknown"] = (
                f"{self.ledger.unknown:,} calls had lazy values, whose records could not be counted"
            )
        self._totals.set(
            balanced=differences == 0,
            unbalanced_records=differences,
            batches=sum(row.batches for row in rows),
            config=self._config(),
        )


class _ObservedCollector(MetricsCollector):
    """A collector that takes in what has arrived before every snapshot.

    Args:
        recording: of the run.
        run_id: name of the run; generated when None.
    """

    def __init__(self, recording: Recording, run_id: str | None) -> None:
        super().__init__(run_id)
        self._recording = recording

    def snapshot(self) -> Snapshot | None:
        """Return all three levels, with all accounts that have arrived."""
        self._recording.gather()
        return super().snapshot()

    def _seconds_of_measuring(self, rows: list[OperatorMetrics]) -> float:
        return seconds_in_steps(rows) + self._recording.gathering_seconds
