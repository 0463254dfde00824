"""Count the rows of every run with Spark, from the folder of each table and from a glob; print JSON.

`python count_runs.py METRICS_FOLDER...`
"""

import json
import sys
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql.functions import count, xxhash64
from pyspark.sql.functions import max as max_

spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", "1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .config(
        "spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    )  # for a start on a busy machine
    .getOrCreate()
)


def counted(files: str) -> dict[str, int]:
    table = spark.read.parquet(files)
    every_column = xxhash64(*table.columns)
    rows = table.groupBy("run_id").agg(count("*").alias("rows"), max_(every_column))
    return {row["run_id"]: row["rows"] for row in rows.collect()}


answers = {
    folder: {
        kind: [counted(str(Path(folder, kind))), counted(str(Path(folder, kind, "*.parquet")))]
        for kind in sorted(path.name for path in Path(folder).iterdir() if path.is_dir() and path.name[0] != ".")
    }
    for folder in sys.argv[1:]
}
print(json.dumps(answers))
spark.stop()
