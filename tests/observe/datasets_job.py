"""A script as a user writes it, whose worker processes die: it maps and filters texts with two processes.

python -m tests.observe.datasets_job FOLDER KILLS fork|spawn [once] [die]

It calls `map` again until it succeeds; with `once` it does not, and its exit code is that of the failure. With `die`
the driver itself is killed after `map` and before `filter`, the first time.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import multiprocess
from datasets import Dataset, disable_progress_bars, load_from_disk

import mega_data_factory as mdf
from mega_data_factory.framework.metrics import MetricsWriter
from mega_data_factory.observe.huggingface import pieces

RECORDS = 2_000


def may_die(folder: str, what: str, kills: int) -> None:
    """Kill this worker process, unless it has died of this before; of everything that may kill, `kills` do."""
    number = len(list(Path(folder, "kills").iterdir()))
    mark = Path(folder, "kills", what)
    if multiprocess.parent_process() is None or number >= kills or mark.exists():
        return
    mark.touch()
    os.kill(os.getpid(), signal.SIGKILL)


def clean(batch: dict[str, list[Any]], folder: str, kills: int) -> dict[str, list[Any]]:
    cleaned = {"text": [text.strip() for text in batch["text"]]}
    if batch["page"][0] % 250 == 0:  # the work is done, and not yet replied
        may_die(folder, f"clean {batch['page'][0]}", kills)
    return cleaned


def judge(record: dict[str, Any], folder: str, kills: int) -> bool:
    if len(record["text"]) < 3:
        mdf.observe.reject(record, "short")
        return False
    if record["page"] % 500 == 499:
        may_die(folder, f"judge {record['page']}", kills)
    return len(record["text"]) < 8


def die_between_work_and_reply(folder: str, kills: int) -> None:
    """Make workers die when a shard is written, and when its file has got its name."""
    from datasets import arrow_writer

    finalize, from_file = arrow_writer.ArrowWriter.finalize, Dataset.from_file

    def dying_finalize(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = finalize(self, *args, **kwargs)
        for number in range(3):
            may_die(folder, f"written {number}", kills)
        return result

    def dying_from_file(filename: str, *args: Any, **kwargs: Any) -> Any:
        may_die(folder, f"named {Path(filename).name}", kills)
        return from_file(filename, *args, **kwargs)

    arrow_writer.ArrowWriter.finalize = dying_finalize
    Dataset.from_file = dying_from_file


def wait_until_written(folder: str, run_id: str) -> None:
    """Wait until the metrics show all records of the first step."""
    metrics = Path(folder, "metrics")
    while sum(row["input_records"] for row in MetricsWriter(metrics).read_operator_metrics(run_id)) < RECORDS:
        time.sleep(0.05)


def main(folder: str, kills: int, method: str, once: bool) -> None:
    multiprocess.set_start_method(method, force=True)
    pieces._PROGRESS_SECONDS = 0.0  # forked workers deliver what is in progress with every batch
    disable_progress_bars()
    Path(folder, "kills").mkdir(exist_ok=True)
    if not Path(folder, "texts").exists():
        rows = {"text": [" " + "x" * (i % 10) for i in range(RECORDS)], "page": list(range(RECORDS))}
        Dataset.from_dict(rows).save_to_disk(str(Path(folder, "texts")))
    if method == "fork":
        die_between_work_and_reply(folder, kills)
    how: dict[str, Any] = {"num_proc": 2, "fn_kwargs": {"folder": folder, "kills": kills}}
    with mdf.observe("texts", metrics=Path(folder, "metrics"), node_interval=0, flush_interval=0.5) as run:
        cleaning, judging = run.step(clean, text="text"), run.step(judge, reason="long")
        texts = load_from_disk(str(Path(folder, "texts")))
        while True:
            try:
                cleaned = texts.map(cleaning, batched=True, batch_size=50, **how)
                if "die" in sys.argv and not Path(folder, "driver died").exists():
                    Path(folder, "driver died").touch()
                    wait_until_written(folder, run.run_id)
                    os.kill(os.getpid(), signal.SIGKILL)
                kept = cleaned.filter(judging, **how)
                break
            except RuntimeError as error:
                if once or "abruptly died" not in str(error):
                    raise
                time.sleep(0.01)
    print(run.run_id, len(kept))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], "once" in sys.argv)
