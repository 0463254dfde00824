"""Runs whose driver is killed at a chosen moment: `python -m tests.engines.crashes CONFIG RUN_ID MOMENT [RESUME]`.

A moment is `before:N` or `after:N`, the N-th time that a writer gives a file below the output its name; `driver:N`,
when the driver has N commits in its books; or `never`. The writer of the configuration must be `CrashingWriter`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mega_data_factory.framework.executor import Executor
from mega_data_factory.writers.parquet_writer import ParquetWriter

_DRIVER = "CRASH_DRIVER"
_MOMENT = "CRASH_MOMENT"
_WORKERS = ("worker.py", "default_worker.py")


class CrashingWriter(ParquetWriter):
    """Writes Parquet, and kills the driver, and its own process, at the moment that the environment names."""

    def __init__(self, output_path: str, **options: Any) -> None:
        super().__init__(output_path, **options)
        when, _, number = os.environ.get(_MOMENT, "never").partition(":")
        if Path(sys.argv[0]).name in _WORKERS and when in ("before", "after"):
            _kill_at_rename(when, int(number))


def _kill_at_rename(when: str, number: int) -> None:
    rename = Path.replace
    seen = 0

    def counting(path: Path, target: Any) -> Path:
        nonlocal seen
        ours = "output" in Path(target).parts
        seen += ours
        if ours and seen == number and when == "before":
            _kill_driver()
        result = rename(path, target)
        if ours and seen == number:
            _kill_driver()
        return result

    Path.replace = counting  # type: ignore[method-assign,assignment]


def _kill_driver() -> None:
    os.kill(int(os.environ[_DRIVER]), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def crash(config: dict[str, Any], folder: Path, run_id: str, moment: str, *, resume: bool = False) -> int:
    """Run a configuration in a process of its own; its exit code, -9 when it was killed."""
    path = folder / "config.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    command = [sys.executable, "-m", __name__, str(path), run_id, moment, *(["resume"] if resume else [])]
    # a Ray of the tests' own process has left its token in the environment: the driver makes its own
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    return subprocess.run(command, env=environment, timeout=100, check=False).returncode


def main() -> None:
    """Run, and be killed."""
    path, run_id, moment, *resume = sys.argv[1:]
    os.environ |= {_DRIVER: str(os.getpid()), _MOMENT: moment}
    config = json.loads(Path(path).read_text(encoding="utf-8"))
    executor = Executor(config, resume=run_id) if resume else Executor(config, run_id=run_id)
    when, _, number = moment.partition(":")
    for progress in executor.execute():
        if when == "driver" and progress.batches_committed >= int(number):
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
