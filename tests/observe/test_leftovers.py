"""What observed runs leave beside the tables goes with the run, or when no driver will read it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

import mega_data_factory as mdf
from mega_data_factory.clock import utc_now
from mega_data_factory.framework.metrics import MetricsReader, Retention, prune
from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.delivery import FileDelivery
from tests.observe.test_runs import script, wait_for

KILLED = """
    import os, signal, sys
    from concurrent.futures import ProcessPoolExecutor

    import mega_data_factory as mdf

    run = mdf.observe("killed", metrics=sys.argv[1], flush_interval=0.2, node_interval=0).start()
    step = run.step(lambda rows: rows, name="same")
    if os.fork() == 0:
        step([1, 2])  # not given to a pool: through a file
        os._exit(0)
    os.wait()
    print(run.run_id, flush=True)
    signal.pause()
"""


def judge(rows: list[int]) -> list[int]:
    if 5 in rows:
        raise ValueError("five")
    mdf.observe.reject(1, "one")
    return [row for row in rows if row != 1]


def accounts_of(metrics: Path, run_id: str) -> list[Path]:
    return list((metrics / ".accounts" / run_id).glob("*/*.accounts"))


def kill_a_driver(metrics: Path) -> str:
    process = script(KILLED, metrics)
    assert process.stdout is not None
    run_id = process.stdout.readline().strip()
    wait_for(lambda: accounts_of(metrics, run_id))
    wait_for(lambda: MetricsReader(metrics).list_runs())
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return run_id


def deliver(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    FileDelivery(folder).deliver(Account("0", "w", "key", "a", "python", 0.0))


def age(folder: Path, days: float) -> None:
    """Make files look as if they were written days ago."""
    then = (utc_now() - timedelta(days=days)).timestamp()
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (then, then))


def test_a_pruned_run_takes_its_records_and_accounts_with_it(tmp_path: Path) -> None:
    kept = {}
    for _ in range(2):
        with mdf.observe("pruned", metrics=tmp_path, node_interval=0, rejects="all") as run:
            run.step(judge, on_error="skip")([1, 2, 5])
        deliver(tmp_path / ".accounts" / run.run_id / "python")
        kept[run.run_id] = {f.relative_to(tmp_path) for f in (tmp_path / "records").rglob(f"{run.run_id}.jsonl")}
    first, second = kept
    assert {file.parent.name for file in kept[first]} == {"errors", "rejected"}
    foreign = tmp_path / ".accounts" / first / "python" / "notes.txt"
    foreign.write_text("not ours")
    mine = tmp_path / "records" / "errors" / "mine.jsonl"
    mine.write_text("{}\n")
    planned = prune(tmp_path, Retention(max_runs=1), dry_run=True)
    assert all((tmp_path / file).exists() for file in kept[first])
    assert planned.bytes > sum((tmp_path / file).stat().st_size for file in kept[first])
    assert prune(tmp_path, Retention(max_runs=1)) == planned
    assert {f.relative_to(tmp_path) for f in (tmp_path / "records").rglob("*.jsonl")} == {
        *kept[second],
        mine.relative_to(tmp_path),
    }
    assert [file.parent.name for file in (tmp_path / "records" / "rejects").rglob("*.parquet")] == [second]
    assert not accounts_of(tmp_path, first)
    assert foreign.exists()
    assert accounts_of(tmp_path, second)


def by_prune(metrics: Path) -> None:
    prune(metrics, Retention(max_runs=100))


def by_prune_later(metrics: Path) -> None:
    """A minute later: by then the last heartbeat of a killed driver is too old for a living one."""
    prune(metrics, Retention(max_runs=100), now=lambda: utc_now() + timedelta(minutes=1))


def by_the_next_run(metrics: Path) -> None:
    with mdf.observe("next", metrics=metrics, node_interval=0):
        pass


@pytest.mark.parametrize("clean", [by_prune_later, by_the_next_run])
def test_accounts_of_a_killed_driver_go_when_none_was_written_for_a_day(
    tmp_path: Path, clean: Callable[[Path], None]
) -> None:
    run_id = kill_a_driver(tmp_path)
    clean(tmp_path)
    assert accounts_of(tmp_path, run_id)
    age(tmp_path / ".accounts" / run_id, days=2)
    clean(tmp_path)
    assert not (tmp_path / ".accounts" / run_id).exists()
    assert run_id in MetricsReader(tmp_path).list_runs()


@pytest.mark.parametrize("clean", [by_prune, by_the_next_run])
def test_accounts_of_a_living_run_stay(tmp_path: Path, clean: Callable[[Path], None]) -> None:
    """Also where its workers have been silent for days."""
    with mdf.observe("living", metrics=tmp_path, node_interval=0) as run:
        wait_for(lambda: MetricsReader(tmp_path).list_runs())
        deliver(tmp_path / ".accounts" / run.run_id / "spark")
        age(tmp_path / ".accounts" / run.run_id, days=9)
        clean(tmp_path)
        assert accounts_of(tmp_path, run.run_id)


def test_accounts_of_unknown_runs_go_with_a_prune_alone(tmp_path: Path) -> None:
    """A folder named by `accounts` may be shared with runs of other metrics folders."""
    shared = tmp_path / "shared"
    deliver(shared / "theirs" / "spark")
    deliver(tmp_path / "metrics" / ".accounts" / "unknown" / "spark")
    age(tmp_path, days=9)
    with mdf.observe("next", metrics=tmp_path / "metrics", accounts=str(shared), node_interval=0):
        pass
    assert (shared / "theirs").exists()
    by_prune(tmp_path / "metrics")
    assert not (tmp_path / "metrics" / ".accounts" / "unknown").exists()
