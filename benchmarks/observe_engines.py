"""What observing costs a whole job on each engine, by instructions: the same job with its two steps and without them.

A child of one process makes each job, with few batches and with more. The difference of the two is what a batch costs,
whatever happens once; what happens once is the rest. Instructions hardly vary from run to run, where seconds on a
shared machine vary by more than what is looked for (see `instructions.py`).

The job is a cheap one: texts of about 1 kB, white space and case normalised, then a filter by number of words. It is
written as users of the engine write it, for batches of 1,000 records, in one process: plain Python, pandas, polars,
Dask (synchronous scheduler), Hugging Face `datasets` (no `num_proc`), datatrove (local executor, one task).

Spark is a tree of processes, most of which are not Python: here it is the work of its Python worker alone, with its
`TaskContext`, and without Arrow's bytes from and to Java. Of the whole job the share is less. `observe_spark.py` and
`observe_ray_data.py` compare CPU time of whole jobs.

    python benchmarks/observe_engines.py [--engines python pandas …] [--batches 8]
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from instructions import count, freeze_heap, in_child

TARGET = 0.02

_RECORDS = 1000
_FEW = 3
_SPACES = re.compile(r"\s+")
_LEAST = 100

Wrap = Callable[..., Any]
Job = Callable[[Wrap, int, Path], Any]
"""Runs with what wraps its functions, on a number of batches, with a folder for files."""


def _texts(batches: int) -> list[str]:
    words = ["Lorem", "ipsum ", "dolor", "sit", "amet,", "consectetur", "adipiscing", "elit."]
    lengths = [170, 160, 90, 180]  # one of four is too short
    return [
        " ".join(words[(at + n) % 8] for n in range(lengths[at % 4])) + f" {at}" for at in range(batches * _RECORDS)
    ]


def _clean(text: str) -> str:
    return _SPACES.sub(" ", text).strip().lower()


def _is_long(text: str) -> bool:
    return len(text.split()) >= _LEAST


# ── the job on each engine ────────────────────────────────────────────────────────────────────────────────────────────


def _python(wrap: Wrap, batches: int, _: Path) -> None:
    rows = [{"id": at, "text": text} for at, text in enumerate(_texts(batches))]
    clean = wrap(lambda rows: [{**row, "text": _clean(row["text"])} for row in rows], name="clean")
    judge = wrap(lambda rows: [row for row in rows if _is_long(row["text"])], name="judge", reason="short")
    for at in range(0, len(rows), _RECORDS):
        judge(clean(rows[at : at + _RECORDS]))


def _pandas(wrap: Wrap, batches: int, _: Path) -> None:
    import pandas as pd

    frame = pd.DataFrame({"text": _texts(batches)})
    clean, judge = _on_frames(wrap)
    for at in range(0, len(frame), _RECORDS):
        frame.iloc[at : at + _RECORDS].pipe(clean).pipe(judge)


def _on_frames(wrap: Wrap) -> tuple[Any, Any]:
    def clean(frame: Any) -> Any:
        return frame.assign(text=frame["text"].str.replace(_SPACES, " ", regex=True).str.strip().str.lower())

    def judge(frame: Any) -> Any:
        return frame[frame["text"].str.count(" ") >= _LEAST - 1]

    return wrap(clean), wrap(judge, reason="short")


def _polars(wrap: Wrap, batches: int, _: Path) -> None:
    import polars as pl

    def clean(frame: Any) -> Any:
        return frame.with_columns(pl.col("text").str.replace_all(r"\s+", " ").str.strip_chars().str.to_lowercase())

    def judge(frame: Any) -> Any:
        return frame.filter(pl.col("text").str.count_matches(" ") >= _LEAST - 1)

    frame = pl.DataFrame({"text": _texts(batches)})
    observed_clean, observed_judge = wrap(clean), wrap(judge, reason="short")
    for part in frame.iter_slices(_RECORDS):
        part.pipe(observed_clean).pipe(observed_judge)


def _dask(wrap: Wrap, batches: int, _: Path) -> None:
    import dask
    import dask.dataframe as dd
    import pandas as pd

    dask.config.set({"dataframe.convert-string": False})
    data = dd.from_pandas(pd.DataFrame({"text": _texts(batches)}), npartitions=batches)
    clean, judge = _on_frames(wrap)
    data = data.map_partitions(clean, meta=data._meta).map_partitions(judge, meta=data._meta)
    data.size.compute(scheduler="synchronous")


def _spark(wrap: Wrap, batches: int, _: Path) -> None:
    import pandas as pd
    from pyspark import TaskContext

    context: Any = TaskContext._getOrCreate()
    context._stageId, context._partitionId, context._taskAttemptId = 1, 0, 0
    frame = pd.DataFrame({"text": _texts(batches)})
    clean, _ = _on_frames(lambda function, **_: function)

    def cleaned(frames: Any) -> Any:
        for part in frames:
            yield clean(part)

    def is_long(text: Any) -> Any:
        return text.str.count(" ") >= _LEAST - 1

    mapped, masked = wrap(cleaned), wrap(is_long, reason="short")
    for part in mapped(frame.iloc[at : at + _RECORDS] for at in range(0, len(frame), _RECORDS)):
        masked(part["text"])
    TaskContext._taskContext = None


def _datasets(wrap: Wrap, batches: int, folder: Path) -> None:
    import datasets

    datasets.disable_progress_bars()
    data = datasets.Dataset.from_dict({"text": _texts(batches)})
    clean = wrap(lambda batch: {"text": [_clean(text) for text in batch["text"]]}, name="clean")
    judge = wrap(lambda batch: [_is_long(text) for text in batch["text"]], name="judge", reason="short")
    data = data.map(clean, batched=True, cache_file_name=str(folder / "map.arrow"))
    data.filter(judge, batched=True, cache_file_name=str(folder / "filter.arrow"))


def _datatrove(wrap: Wrap, batches: int, folder: Path) -> None:
    from datatrove.data import Document
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.filters import LambdaFilter
    from datatrove.pipeline.formatters.base import BaseFormatter

    class Clean(BaseFormatter):  # type: ignore[misc]
        name = "clean"

        def format(self, text: str) -> str:
            return _clean(text)

    documents = [Document(text=text, id=str(at)) for at, text in enumerate(_texts(batches))]
    pipeline = [documents, Clean(), LambdaFilter(lambda document: _is_long(document.text))]
    executor = LocalPipelineExecutor(pipeline=pipeline, tasks=1, workers=1, logging_dir=str(folder / "logs"))
    wrap(executor).run()


ENGINES: dict[str, Job] = {
    "python": _python,
    "pandas": _pandas,
    "polars": _polars,
    "dask": _dask,
    "spark": _spark,
    "datasets": _datasets,
    "datatrove": _datatrove,
}


# ── the counted program ───────────────────────────────────────────────────────────────────────────────────────────────


def _program(engine: str, batches: int, folder: Path) -> None:
    """Make the job once, to import what it imports; then in children, observed and not, with few batches and more."""
    import mega_data_factory as mdf

    job = ENGINES[engine]
    _observed(mdf, engine, job, 1, folder / "warm")
    freeze_heap()
    for way, made in (("off", _bare), ("on", partial(_observed, mdf, engine))):
        for number in (_FEW, _FEW + batches):
            in_child([way, number], partial(made, job, number, folder / f"{way}-{number}"))


def _bare(job: Job, batches: int, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    job(lambda function, **_: function, batches, folder)


def _observed(mdf: Any, engine: str, job: Job, batches: int, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    with mdf.observe(engine, metrics=folder / "metrics", node_interval=0, flush_interval=3600) as run:
        job(run.pipeline if engine == "datatrove" else run.step, batches, folder)


# ── counting ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def instructions(engine: str, batches: int) -> dict[str, float]:
    """Return instructions of a job: `off` of a batch without steps, `on` with them, `once` what a run adds beside."""
    with tempfile.TemporaryDirectory() as folder:
        counted = count(Path(__file__), "--program", folder, "--engines", engine, "--batches", batches)
    found = {(way, number): instructions for (way, number), instructions in counted}
    of_batch = {way: (found[way, _FEW + batches] - found[way, _FEW]) / batches for way in ("off", "on")}
    once = found["on", _FEW] - found["off", _FEW] - _FEW * (of_batch["on"] - of_batch["off"])
    return {**of_batch, "once": once}


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--batches", type=int, default=8, help="batches that are counted")
    parser.add_argument("--program", metavar="FOLDER", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.program:
        _program(arguments.engines[0], arguments.batches, Path(arguments.program))
        return
    print(f"two steps on batches of {_RECORDS:,} records; target: at most {TARGET:.0%}\n")
    print("| engine | a batch without | with | share | once a run |\n|---|---|---|---|---|", flush=True)
    for engine in arguments.engines:
        found = instructions(engine, arguments.batches)
        print(
            f"| {engine} | {found['off'] / 1e6:.2f} million | {(found['on'] - found['off']) / 1e6:+.3f} million "
            f"| {found['on'] / found['off'] - 1:+.2%} | {found['once'] / 1e6:,.0f} million |",
            flush=True,
        )


if __name__ == "__main__":
    main()
