"""Run a pipeline and look at everything it leaves behind."""

from __future__ import annotations

import fcntl
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq

from mega_data_factory.errors import MdfError
from mega_data_factory.framework.executor import Executor, Progress
from mega_data_factory.framework.metrics.reader import MetricsReader
from mega_data_factory.framework.metrics.schema import DETAILS
from tests.nursery import NURSERY

RUN_COUNTS = (
    "status",
    "total_input_records",
    "total_output_records",
    "planned_records",
    "committed_records",
    "processed_records",
    "dead_lettered_records",
    "rejected_records",
    "total_errors",
    "loader_errors",
    "batches",
    "balanced",
    "unbalanced_records",
)


_UNITS = ("input_text_bytes", "output_text_bytes", "input_tokens", "output_tokens")


def fake(name: str, **params: Any) -> dict[str, Any]:
    """The configuration of an operator of `tests.fakes`."""
    return {"name": f"tests.fakes:{name}", "params": params}


def stage(name: str, *operators: Mapping[str, Any], **worker: Any) -> dict[str, Any]:
    """The configuration of a stage."""
    return {"name": name, "operators": list(operators), "worker": worker}


def jsonl(path: Path, texts: Iterable[str | None], **columns: Any) -> str:
    """A file of JSON lines with the column `text`; returns its path."""
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(texts):
            file.write(json.dumps({"text": text, "number": number, **columns}) + "\n")
    return str(path)


@dataclass
class Pipeline:
    """A pipeline below a folder, and what is to be varied of it.

    Attributes:
        folder: everything goes below it: output, metrics, rejected samples.
        source: path of JSON lines.
        stages: the stages.
        engine: `local` or `ray`.
        loader: configuration of the loader beyond its path.
        writer: configuration of the writer beyond its path.
        executor: the executor section.
    """

    folder: Path
    source: str
    stages: Sequence[Mapping[str, Any]]
    engine: str = "local"
    loader: Mapping[str, Any] = field(default_factory=dict)
    writer: Mapping[str, Any] = field(default_factory=dict)
    executor: Mapping[str, Any] = field(default_factory=dict)

    @property
    def output(self) -> Path:
        """The output folder."""
        return self.folder / "output"

    @property
    def metrics(self) -> Path:
        """The metrics folder."""
        return self.folder / "metrics"

    def config(self) -> dict[str, Any]:
        """The configuration as a mapping."""
        loader = {"type": "jsonl_loader", "num_workers": 1, **self.loader}
        loader["params"] = {"path": self.source, "split_mb": 0.05, **loader.get("params", {})}
        writer = {"type": "parquet_writer", **self.writer}
        writer["params"] = {"output_path": str(self.output), **writer.get("params", {})}
        metrics = {"output_path": str(self.metrics), **self.executor.get("metrics", {})}
        executor = {"engine": self.engine, "batch_size": 100, **self.executor, "metrics": metrics}
        return {"data_loader": loader, "stages": list(self.stages), "data_writer": writer, "executor": executor}

    def run(self, on_progress: Callable[[Executor, Progress], None] | None = None) -> Result:
        """Run to the end, whatever it is; nothing of the run may be left on the machine."""
        children, before = processes_of_runs(), _temporary_folders()
        executor = Executor(self.config())
        error: MdfError | None = None
        started = time.monotonic()
        try:
            for progress in executor.execute():
                if on_progress is not None:
                    on_progress(executor, progress)
        except MdfError as raised:
            error = raised
        seconds = time.monotonic() - started
        assert_nothing_left(self.output, before)
        if self.engine == "local":
            assert processes_of_runs() <= children, "worker processes are left"
        return Result.of(self, executor.run_id, error, seconds)


def rejecting_some(folder: Path, *operators: Mapping[str, Any], records: int = 400, **executor: Any) -> Pipeline:
    """A filter that rejects short texts, then these operators; ten batches of 400 records."""
    source = jsonl(folder / "a.jsonl", [f"text {n} " + "y" * (n % 90) for n in range(records)])
    length = {"name": "text_length_filter", "params": {"min_length": 50}}
    return Pipeline(folder, source, [stage("clean", length, *operators)], executor={"batch_size": 40, **executor})


def stop_early(pipeline: Pipeline) -> str:
    """Stop a run once records have passed its stages; returns its id."""
    executor = Executor(pipeline.config())
    with closing(executor.execute()) as steps:
        while not next(steps).records_passed:
            pass
    return executor.run_id


@dataclass(frozen=True)
class Result:
    """What a run left behind.

    Attributes:
        run: the run row.
        stages: the stage rows by name.
        operators: the operator rows.
        details: the rows of every table of details, without their time.
        texts: the texts of all output files, sorted.
        files: the output files.
        errors: the error sink.
        dead_letters: the dead letters.
        samples: the rejected samples.
        error: what ended the run.
        seconds: how long it took.
    """

    run: dict[str, Any]
    stages: dict[str, dict[str, Any]]
    operators: list[dict[str, Any]]
    details: dict[str, list[dict[str, Any]]]
    texts: list[str]
    files: list[Path]
    errors: list[dict[str, Any]]
    dead_letters: list[dict[str, Any]]
    samples: list[dict[str, Any]]
    error: MdfError | None
    seconds: float

    @classmethod
    def of(cls, pipeline: Pipeline, run_id: str, error: MdfError | None, seconds: float) -> Result:
        """Read everything of a run."""
        reader = MetricsReader(str(pipeline.metrics))
        rejected = pipeline.executor.get("rejected_samples", {}).get("output_path")
        files = sorted(pipeline.output.glob("part-*"))
        return cls(
            run=reader.run(run_id),
            stages={row["stage_name"]: row for row in reader.rows("stages", run_id)},
            operators=reader.rows("operators", run_id),
            details={table: _details(reader, table, run_id) for table in DETAILS},
            texts=sorted(_texts(files)),
            files=files,
            errors=_lines(pipeline.output / "_errors"),
            dead_letters=_lines(pipeline.output / "_dead_letter"),
            samples=_lines(Path(rejected)) if rejected else [],
            error=error,
            seconds=seconds,
        )

    @property
    def books(self) -> dict[str, Any]:
        """Every count of the run and of each operator, added up over workers: what no kill may change."""
        counts: dict[str, Any] = {name: self.run[name] for name in RUN_COUNTS}
        for (name, column), value in self._operator_counts().items():
            counts[f"{name}: {column}"] = value
        return counts | {
            **{table: rows for table, rows in self.details.items() if rows},
            "dead letters": sorted(line["record_id"] for line in self.dead_letters),
            "errors": sorted((line["record_id"], line["operator"], line["reason"]) for line in self.errors),
        }

    def _operator_counts(self) -> dict[tuple[str, str], int]:
        totals: dict[tuple[str, str], int] = defaultdict(int)
        for row in self.operators:
            name = f"{row['stage_name']}/{row['operator_name']}"
            for column in ("input_records", "output_records", "rejected_records", "error_count", *_UNITS):
                totals[name, column] += row[column] or 0
            for reason, number in (row["rejected_reasons"] or {}).items():
                totals[name, f"rejected for {reason}"] += number
        return dict(totals)

    def count(self, operator: str, column: str) -> int:
        """A count of one operator (`stage/operator`), over all workers."""
        return self._operator_counts()[operator, column]

    def closed(self) -> bool:
        """Whether the run completed and every number in it agrees with every other."""
        run = self.run
        accounted = run["processed_records"] + run["dead_lettered_records"] + run["loader_errors"]
        return bool(
            self.error is None
            and run["status"] == "completed"
            and run["balanced"]
            and run["planned_records"] == run["total_input_records"] == accounted
            and run["total_output_records"] == run["committed_records"] == len(self.texts)
            and run["dead_lettered_records"] == len(self.dead_letters)
            and run["total_errors"] == len(self.errors)
        )


def assert_same(disturbed: Result, undisturbed: Result) -> None:
    """Both runs completed with closed books, and neither a count nor a record tells them apart."""
    assert undisturbed.error is None
    assert disturbed.error is None
    assert undisturbed.closed(), undisturbed.books
    found, expected = disturbed.books, undisturbed.books
    pairs = {name: (found.get(name), expected.get(name)) for name in found | expected}
    differing = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    assert not differing, differing
    assert disturbed.texts == undisturbed.texts
    assert disturbed.closed()


def assert_nothing_left(output: Path, before: frozenset[Path] = frozenset()) -> None:
    """No spool, socket, staged table or half-written file of a run that has ended.

    `before` was there when it began: drivers that another test has killed leave boards, until the next run on Ray.
    """
    left = [path for path in _temporary_folders() - before if not _is_in_use(path)]
    if output.exists():
        left += [path for path in output.rglob("*") if path.name.endswith(".tmp") or "_staging" in path.parts]
    assert not left


def _temporary_folders() -> frozenset[Path]:
    folders = Path(tempfile.gettempdir()).glob("mdf-*")
    return frozenset(path for path in folders if not path.name.startswith("mdf-ray-"))  # those live as long as we do


def _is_in_use(folder: Path) -> bool:
    """Return whether a living process holds the lock of a temporary folder: that of another run on this machine."""
    try:
        with (folder / "lock").open("r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return not folder.exists()
    return False


def processes_of_runs() -> set[int]:
    """Return the processes that runs of this process have now: those started here, and those forked in the nursery."""
    children = psutil.Process().children(recursive=True)
    started = {child.pid for child in children if any("engines.local." in part for part in _command(child))}
    return started | NURSERY.processes()


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _details(reader: MetricsReader, table: str, run_id: str) -> list[dict[str, Any]]:
    """Return the rows of a table of details, without their time.

    Of the output's columns only the text: which of equal records a deduplicator keeps depends on the order of arrival,
    and so do the ids and numbers in the output.
    """
    rows = [row for row in reader.rows(table, run_id) if row.get("column_name") in (None, "text")]
    return [{name: value for name, value in row.items() if name not in ("run_id", "timestamp")} for row in rows]


def _texts(files: Iterable[Path]) -> Iterator[str]:
    for file in files:
        for text in pq.read_table(file, columns=["text"]).column("text").to_pylist():
            yield text or ""


def _lines(folder: Path) -> list[dict[str, Any]]:
    files = sorted(folder.glob("*.jsonl")) if folder.exists() else []
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
