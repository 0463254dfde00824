"""CPU time of a Spark job with observed steps, relative to the same job without: `python -m benchmarks.observe_spark`.

One Spark session runs both in turn, so that Java is warm and the load of the machine is shared. CPU time is that of the
driver, of Java and of its Python workers, without what is done by time whatever the work:
samples of nodes, and writes while the run lasts. Printed: the median of the ratios of neighbours, and its quartiles.
"""

from __future__ import annotations

import os
import random
import re
import statistics
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession, functions

import mega_data_factory as mdf

RECORDS, ROUNDS = 60_000, 7
SPACES = re.compile(r"\s+")
F: Any = functions  # which has types, but not of `pandas_udf`


def write_documents(path: Path) -> None:
    chance = random.Random(0)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(2000)]
    texts = ["  ".join(chance.choices(words, k=chance.randint(20, 160))) for _ in range(RECORDS)]
    pq.write_table(pa.table({"id": range(RECORDS), "text": texts}), path)


def normalise(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for frame in frames:
        yield frame.assign(text=[SPACES.sub(" ", text.lower()) for text in frame["text"]])


def is_long(text: pd.Series) -> pd.Series:
    return text.str.len() > 300


def cpu_seconds() -> float:
    total = 0.0
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        times = process.cpu_times()
        total += times.user + times.system
    return total


def job(spark: SparkSession, source: str, target: str, wrap: Callable[..., Any]) -> None:
    documents = spark.read.parquet(source)
    documents = documents.mapInPandas(wrap(normalise, stage="clean"), documents.schema)
    documents = documents.filter(F.pandas_udf(wrap(is_long, stage="judge", reason="short"), "boolean")("text"))
    documents.write.mode("overwrite").parquet(target)


def main() -> None:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    warnings.filterwarnings("ignore", category=FutureWarning)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_documents(folder / "in.parquet")
        builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
        builder = builder.config("spark.ui.showConsoleProgress", "false").config("spark.log.level", "ERROR")
        builder = builder.config("spark.driver.host", "127.0.0.1")
        builder = builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", sys.argv[1] if sys.argv[1:] else 1000)
        spark = builder.getOrCreate()
        ratios = []
        source, target = str(folder / "in.parquet"), str(folder / "out")

        def plain(function: Any, **_: Any) -> Any:
            return function

        def seconds(observed: bool) -> float:
            before = cpu_seconds()
            if observed:
                with mdf.observe("benchmark", metrics=folder / "metrics", node_interval=0, flush_interval=600) as run:
                    job(spark, source, target, run.step)
            else:
                job(spark, source, target, plain)
            return cpu_seconds() - before

        for number in range(ROUNDS + 3):
            order = [True, False] if number % 2 else [False, True]
            took = {observed: seconds(observed) for observed in order}
            if number >= 3:  # warm
                ratios.append(took[True] / took[False])
                print(f"{took[True]:.2f} s observed, {took[False]:.2f} s plain, ratio {ratios[-1]:.4f}", flush=True)
        quartiles = statistics.quantiles(ratios, n=4)
        print(f"median ratio {statistics.median(ratios):.4f}, quartiles {quartiles[0]:.4f} to {quartiles[2]:.4f}")
        spark.stop()


if __name__ == "__main__":
    main()
