"""Spark jobs with observed steps, each run in a process of its own: `python -m tests.observe.spark_jobs JOB FOLDER`.

A job prints one line of JSON: what a test wants to know of it beside its metrics.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

import mega_data_factory as mdf
from mega_data_factory.observe import ObservedRun
from tests.observe.jobs import calm_and_killed, run_job

warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)

from pyspark import TaskContext  # noqa: E402
from pyspark.sql import (  # noqa: E402
    DataFrame,
    SparkSession,
    functions,
)

F: Any = functions  # which has types, but not of `pandas_udf` and `arrow_udf`

RECORDS = 8_000
QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # for a start on a busy machine


def session(master: str = "local[2,20]", **settings: str) -> SparkSession:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master(master)
    known = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.extraJavaOptions": QUICK,
        "spark.executor.extraJavaOptions": QUICK,
        "spark.executor.memory": "512m",
        "spark.task.maxFailures": "20",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "500",
        "spark.sql.warehouse.dir": os.environ["JOB_FOLDER"] + "/warehouse",
    }
    for key, value in (known | settings).items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def records(spark: SparkSession, count: int = RECORDS, partitions: int = 4) -> DataFrame:
    numbers = spark.range(0, count, numPartitions=partitions)
    return numbers.withColumn("text", F.concat(F.lit("text "), (F.col("id") % 7).cast("string")))


def even(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch.filter(pc.equal(pc.bit_wise_and(batch.column("id"), 1), 0))


def not_five(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for frame in frames:
        yield frame[frame["text"] != "text 5"]


def is_two(text: pd.Series) -> pd.Series:
    return text == "text 2"


# ── every way to run a function of the user ───────────────────────────────────────────────────────────────────────────


def forms(run: ObservedRun, folder: Path) -> Any:
    spark = session()
    data = records(spark)

    def shorter(text: pd.Series) -> pd.Series:
        return text.str.slice(0, 3)

    def is_three(text: pa.Array) -> pa.Array:
        return pc.equal(text, "text 3")

    def over_batches(texts: Iterator[pd.Series]) -> Iterator[pd.Series]:
        for text in texts:
            yield text.str.upper()

    def of_group(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.head(1)

    def of_keyed_group(key: tuple[str, ...], frame: pd.DataFrame) -> pd.DataFrame:
        return frame[frame["text"] == key[0]].head(2)

    def of_table(table: pa.Table) -> pa.Table:
        return table.slice(0, 3)

    def of_keyed_table(key: tuple[pa.Scalar, ...], table: pa.Table) -> pa.Table:
        return table.filter(pc.equal(table.column("text"), key[0])).slice(0, 4)

    def of_batches(key: tuple[pa.Scalar, ...], batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield batch.filter(pc.equal(batch.column("text"), key[0])).slice(0, 1)

    def by_row(text: str) -> bool:
        return text == "text 1"

    def send(rows: Iterator[Any]) -> None:
        for _ in rows:
            pass

    def double(rows: Iterator[Any]) -> Iterator[Any]:
        for row in rows:
            yield row
            yield row

    schema = "id long, text string"
    groups = data.groupBy("text")
    counts = {
        "arrow": data.mapInArrow(run.step(even, name="arrow", reason="odd", text="text"), schema).count(),
        "pandas": data.mapInPandas(run.step(not_five, name="pandas", reason="five"), schema).count(),
        "pandas_udf": data.select(F.pandas_udf(run.step(shorter, name="pandas_udf"), "string")("text"))
        .distinct()
        .count(),
        "pandas_mask": data.filter(
            F.pandas_udf(run.step(is_two, name="pandas_mask", reason="not_two"), "boolean")("text")
        ).count(),
        "arrow_mask": data.filter(
            F.arrow_udf(run.step(is_three, name="arrow_mask", reason="not_three"), "boolean")("text")
        ).count(),
        "batches_udf": data.select(F.pandas_udf(run.step(over_batches, name="batches_udf"), "string")("text"))
        .distinct()
        .count(),
        "group": groups.applyInPandas(run.step(of_group, name="group", reason="more"), schema).count(),
        "keyed_group": groups.applyInPandas(
            run.step(of_keyed_group, name="keyed_group", reason="more"), schema
        ).count(),
        "table": groups.applyInArrow(run.step(of_table, name="table", reason="more"), schema).count(),
        "keyed_table": groups.applyInArrow(run.step(of_keyed_table, name="keyed_table", reason="more"), schema).count(),
        "batches": groups.applyInArrow(run.step(of_batches, name="batches", reason="more"), schema).count(),
        "row_udf": data.limit(100)
        .filter(F.udf(run.step(by_row, name="row_udf", reason="not_one"), "boolean")("text"))
        .count(),
        "rdd": data.rdd.mapPartitions(run.step(double, name="rdd")).count(),
    }
    data.foreachPartition(run.step(send, name="send"))
    spark.stop()
    return counts


def connect(run: ObservedRun, folder: Path) -> Any:
    """Work through Spark Connect: this process is a client, and the server runs the step."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.remote("local[2]").config("spark.log.level", "ERROR")
    spark = builder.config("spark.driver.extraJavaOptions", QUICK).getOrCreate()
    assert "connect" in type(spark).__module__
    kept = spark.range(0, RECORDS, numPartitions=4).mapInArrow(run.step(even, reason="odd"), "id long")
    counts = [kept.count(), kept.count()]
    spark.stop()
    return counts


# ── deaths ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def die_once(marks: Path | None, name: str) -> None:
    """Kill this Python worker, once for a name; never without a folder of marks."""
    if marks is not None and not (marks / name).exists():
        (marks / name).touch()
        os.kill(os.getpid(), signal.SIGKILL)


def kill_executor_once(marks: Path, name: str) -> None:
    """Kill the executor that has started this Python worker, once for a name."""
    if (marks / name).exists():
        return
    (marks / name).touch()
    import psutil

    executor = next(parent for parent in psutil.Process().parents() if "java" in parent.name())
    assert any("CoarseGrainedExecutorBackend" in word for word in executor.cmdline()), executor.cmdline()
    executor.kill()
    time.sleep(60)  # the worker ends with its executor


def dying(step: Any, marks: Path | None, name: str) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """Return a function over batches that dies in every partition: in the middle in some, in all after the step's end.

    The step has delivered its account by then, and Spark has not heard from the worker that the task is done.
    """

    def run(batches: Iterator[Any]) -> Iterator[Any]:
        context = TaskContext.get()
        assert context is not None
        partition = context.partitionId()
        for number, batch in enumerate(step(batches)):
            if number == 1 and partition % 3 == 0:
                die_once(marks, f"{name}-{partition}-middle")
            yield batch
        die_once(marks, f"{name}-{partition}-end")

    return run


def judged(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Reject records with two reasons, and report a number."""
    for batch in batches:
        last = pc.bit_wise_and(batch.column("id"), 3)
        for reason, value in (("first", 0), ("third", 2)):
            mdf.observe.reject(batch.filter(pc.equal(last, value)), reason)
        mdf.observe.report("odd", pc.sum(last).as_py())
        yield batch.filter(pc.equal(pc.bit_wise_and(batch.column("id"), 1), 1))


def kills(run: ObservedRun, folder: Path, marks: Path | None) -> Any:
    """Three steps, the second after a shuffle; with marks, every partition of the first two loses its worker."""
    spark = session()
    judge = run.step(judged, name="judged", stage="judge", text="text")
    clean = run.step(not_five, name="not_five", stage="clean", reason="five")
    choose = run.step(lambda text: text != "text 1", name="chosen", stage="choose", reason="one")

    def chosen(text: pd.Series) -> pd.Series:
        keep: pd.Series = choose(text)
        context = TaskContext.get()
        assert context is not None
        die_once(marks, f"choose-{context.partitionId()}")
        return keep

    schema = "id long, text string"
    data = records(spark, partitions=9).mapInArrow(dying(judge, marks, "judge"), schema)
    data = data.repartition(4).mapInPandas(dying(clean, marks, "clean"), schema)
    written = data.filter(F.pandas_udf(chosen, "boolean")("text"))
    written.write.parquet(str(folder / "written"))
    count = spark.read.parquet(str(folder / "written")).count()
    spark.stop()
    return {"written": count, "deaths": len(list(marks.iterdir())) if marks else 0}


# ── actions ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def actions(run: ObservedRun, folder: Path) -> Any:
    """Three actions on a plan that is not cached, two on one that is, and one step on two data frames."""
    spark = session()
    schema = "id long, text string"
    step = run.step(even, name="again", reason="odd")
    data = records(spark).mapInArrow(step, schema)
    told = {"shown": len(data.take(3)), "counted": data.count()}
    data.write.parquet(str(folder / "written"))
    shuffled = records(spark).repartition(3).mapInArrow(run.step(even, name="behind_shuffle"), schema)
    told["twice"] = shuffled.count() + shuffled.count()
    cached = records(spark).mapInArrow(run.step(even, name="cached"), schema).cache()
    told["cached"] = cached.count() + cached.count()
    both = run.step(even, name="both")
    for number in (0, 1):
        other = records(spark, 1_000, 2).withColumn("id", F.col("id") + 1_000_000 * number)
        told[f"frame_{number}"] = other.mapInArrow(both, schema).count()
    masked = records(spark).filter(F.pandas_udf(run.step(is_two, name="mask"), "boolean")("text"))
    told["masked"] = masked.count() + masked.count()
    spark.stop()
    return told


# ── a cluster, and a driver that is killed ────────────────────────────────────────────────────────────────────────────


def cluster(run: ObservedRun, folder: Path) -> Any:
    """On two nodes: a slow attempt that is overtaken by a speculative one, then executors that are killed."""
    marks = folder / "marks"
    marks.mkdir()
    spark = session(
        sys.argv[3],
        **{
            "spark.executor.cores": "1",
            "spark.speculation": "true",
            "spark.speculation.interval": "200ms",
            "spark.speculation.quantile": "0.5",
            "spark.speculation.minTaskRuntime": "1s",
        },
    )
    schema = "id long, text string"

    def slow(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        context = TaskContext.get()
        assert context is not None
        attempt = context.attemptNumber()
        (marks / f"attempt-{context.partitionId()}-{attempt}").touch()
        for batch in even(batches):
            if context.partitionId() == 3 and attempt == 0:
                time.sleep(15)
            yield batch

    step = run.step(slow, name="overtaken", reason="odd")
    told = {"overtaken": records(spark).mapInArrow(step, schema).count()}

    def losing(step: Any, name: str, partition: int) -> Callable[[Iterator[Any]], Iterator[Any]]:
        def over(batches: Iterator[Any]) -> Iterator[Any]:
            yield from step(batches)
            context = TaskContext.get()
            assert context is not None
            if context.partitionId() == partition:
                kill_executor_once(marks, f"executor-{name}")

        return over

    first = run.step(judged, name="before", stage="before")
    second = run.step(even, name="behind", stage="behind", reason="even")
    data = records(spark).mapInArrow(losing(first, "before", 1), schema)
    behind = data.repartition(3).withColumn("id", F.expr("id div 2")).mapInArrow(losing(second, "behind", 2), schema)
    told["behind"] = behind.count()
    spark.stop()
    return told


def hanging(run: ObservedRun, folder: Path) -> Any:
    """Be counted, and wait to be killed."""
    spark = session()
    records(spark).mapInArrow(run.step(even, name="even", reason="odd"), "id long, text string").count()
    (folder / "counted").touch()
    time.sleep(600)


JOBS: dict[str, Callable[[ObservedRun, Path], Any]] = {
    "forms": forms,
    "connect": connect,
    **calm_and_killed(kills),
    "actions": actions,
    "cluster": cluster,
    "hanging": hanging,
}


if __name__ == "__main__":
    run_job(JOBS)
