"""Workers are forked from a server of one thread; it may be killed, and a run can do without it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest

from mega_data_factory.catalogue import LOADERS, OPERATORS, WRITERS
from mega_data_factory.framework.contracts import Refiner
from mega_data_factory.framework.engines.local.jobs import preloads, shared_modules
from mega_data_factory.framework.engines.local.processes import forking
from mega_data_factory.framework.executor import Executor, Progress
from mega_data_factory.framework.registry import Component
from mega_data_factory.operators.refiners.language_refiner import LanguageRefiner
from tests.engines.running import Pipeline, assert_same, fake, jsonl, stage
from tests.engines.test_stopping import started, wait_for
from tests.nursery import servers_started_afresh

pytestmark = pytest.mark.skipif(not forking.can_fork(), reason="no fork server on this machine")


@pytest.fixture(autouse=True)
def started_afresh() -> Iterator[None]:
    """Servers start as those of a user do."""
    with servers_started_afresh():
        yield


def pipeline(folder: Path, source: str, **executor: object) -> Pipeline:
    """A deduplicating pipeline that takes a second or more."""
    operators = [fake("Dedup"), fake("Slow", seconds=0.05)]
    return Pipeline(folder, source, [stage("only", *operators)], executor={"batch_size": 50, **executor})


class PreloadsItself(Refiner):
    """A user's operator that has a method of this name."""

    def preload(self) -> None:  # type: ignore[override]
        """Do nothing."""

    def refine(self, table: pa.Table) -> pa.Table:
        """Return the table."""
        return table


class Preloading(Refiner):
    """A user's operator that would be preloaded."""

    preload = f"{__name__}:commands"

    def refine(self, table: pa.Table) -> pa.Table:
        """Return the table."""
        return table


def commands() -> dict[int, str]:
    """Return the commands of the processes of a run of this process, by process id."""
    found = {}
    for child in psutil.Process().children(recursive=True):
        try:
            found[child.pid] = " ".join(child.cmdline())
        except psutil.Error:
            continue
    return {pid: command for pid, command in found.items() if "engines.local." in command}


def test_the_server_has_one_thread_and_nothing_that_forks_must_not_share() -> None:
    """A fork is safe with one thread; a module with a state of its own for chance would draw the same in every fork.

    Both hold as well when the server has imported all built-in components and read what the operators share. polars
    is imported there without its thread, and works in a fork. Arrow allocates without a reserve of its own.
    """
    components = [Component(name, target, {}) for name, target in (LOADERS | OPERATORS | WRITERS).items()]
    functions = sorted({getattr(component.load(), "preload", "") for component in components} - {""})
    assert functions
    shared = [*(component.target.partition(":")[0] for component in components), *functions]
    code = (
        "import json, os, sys\n"
        "from mega_data_factory.framework.engines.local.processes import fork_server\n"
        "from mega_data_factory.framework.engines.local.polars_import import start_polars\n"
        "fork_server.import_all()\n"
        f"fork_server._preload({shared})\n"
        "from mega_data_factory.operators.text.language_model import language_identifier\n"
        "models = language_identifier.cache_info().currsize\n"
        "bad = sorted({'numpy.random', 'pandas', 'ray'} & set(sys.modules))\n"
        "import pyarrow as pa\n"
        "allocator = pa.default_memory_pool().backend_name\n"
        "here = [fork_server.has_one_thread(), models, bad, 'polars' in sys.modules, allocator]\n"
        "if (pid := os.fork()) == 0:\n"
        "    start_polars()\n"
        "    import polars\n"
        "    lengths = polars.DataFrame({'a': ['b', 'cd']}).lazy().select(polars.col('a').str.len_chars()).collect()\n"
        "    sys.exit(lengths.to_series().sum())\n"
        "print(json.dumps([*here, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])]))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(printed) == [True, 1, [], True, "system", 3]


def test_only_built_in_operators_are_read_before_the_fork(tmp_path: Path) -> None:
    """A module of a user is not imported in the process that workers are forked from, whatever its class says."""
    source = jsonl(tmp_path / "a.jsonl", ["text"])
    operators: list[dict[str, Any]] = [{"name": f"{__name__}:{name}"} for name in ("Preloading", "PreloadsItself")]
    operators += [{"name": "language_refiner"}, {"name": "language_refiner"}]
    plan = Executor(Pipeline(tmp_path / "run", source, [stage("only", *operators)]).config()).plan
    assert preloads(plan) == [LanguageRefiner.preload]
    assert LanguageRefiner.__module__ in shared_modules(plan)
    assert all(name.startswith("mega_data_factory.") for name in shared_modules(plan))


def test_a_run_starts_a_server_and_has_its_workers_forked(tmp_path: Path) -> None:
    """The server is an interpreter of its own; all other processes of the run are forks of it."""
    source = jsonl(tmp_path / "a.jsonl", [f"text {n}" for n in range(200)])
    seen: set[str] = set()
    result = pipeline(tmp_path / "run", source).run(lambda *_: seen.update(commands().values()))
    assert result.closed()
    assert seen
    assert all("processes.fork_server" in command for command in seen)


@pytest.mark.slow
def test_a_killed_server_takes_its_workers_along_and_is_replaced(tmp_path: Path) -> None:
    """All workers die at once, of every role: a new server forks their replacements, and no record or count differs."""
    source = jsonl(tmp_path / "a.jsonl", [f"text {n % 400}" for n in range(900)])
    calm = pipeline(tmp_path / "calm", source).run()
    servers: list[psutil.Process] = []

    def kill(_: Executor, progress: Progress) -> None:
        if progress.records_passed >= 100 * (len(servers) + 1) and len(servers) < 2:
            before = commands()
            (server,) = [child for child in psutil.Process().children() if child.pid in before]
            servers.append(server)
            server.kill()
            assert wait_for(lambda: not set(before) & set(commands()), 20)

    disturbed = pipeline(tmp_path / "disturbed", source).run(kill)
    assert len(set(servers)) == 2
    assert_same(disturbed, calm)
    assert disturbed.run["retried_batches"] > 0


@pytest.mark.slow
def test_a_server_that_is_killed_under_the_command(tmp_path: Path, python_path: dict[str, str]) -> None:
    """The server that `mdf run` forks from itself is replaced as well, and no process is left in the end."""
    source = jsonl(tmp_path / "a.jsonl", [f"text {n}" for n in range(2000)])
    run = pipeline(tmp_path / "run", source)
    run.writer = {"params": {"target_file_mb": 0}}
    process = started(run, python_path)
    (server,) = psutil.Process(process.pid).children()
    workers = server.children()
    assert {worker.name() for worker in workers} == {"mdf-worker"}
    server.kill()
    assert wait_for(lambda: bool(psutil.Process(process.pid).children(recursive=True)), 20)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert json.loads(out)["run"]["total_output_records"] == 2000
    assert json.loads(out)["books"]["balanced"] is True
    assert not any(worker.is_running() for worker in [server, *workers])


@pytest.mark.slow
def test_a_server_with_a_thread_starts_fresh_interpreters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `sitecustomize` that starts a thread makes forks unsafe: the workers are interpreters of their own."""
    (tmp_path / "site").mkdir()
    lines = "import threading, time\nthreading.Thread(target=time.sleep, args=[600], daemon=True).start()\n"
    (tmp_path / "site" / "sitecustomize.py").write_text(lines, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    seen: set[str] = set()
    source = jsonl(tmp_path / "a.jsonl", [f"text {n}" for n in range(200)])
    result = pipeline(tmp_path / "run", source).run(lambda *_: seen.update(commands().values()))
    assert result.closed()
    assert len(result.texts) == 200
    assert sum("engines.local.worker" in command for command in seen) >= 3


@pytest.mark.slow
def test_a_machine_without_a_fork_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every worker is a fresh interpreter then; the run is the same."""
    source = jsonl(tmp_path / "a.jsonl", [f"text {n % 150}" for n in range(200)])
    forked = pipeline(tmp_path / "forked", source).run()
    monkeypatch.setattr(forking, "can_fork", lambda: False)
    seen: set[str] = set()
    fresh = pipeline(tmp_path / "fresh", source).run(lambda *_: seen.update(commands().values()))
    assert_same(fresh, forked)
    assert all("engines.local.worker" in command for command in seen)


@pytest.mark.slow
def test_a_worker_of_several_cores_is_a_fresh_interpreter(tmp_path: Path) -> None:
    """The libraries of the fork server have sized their pools of threads for one core."""
    source = jsonl(tmp_path / "a.jsonl", [f"text {n}" for n in range(200)])
    run = pipeline(tmp_path / "run", source)
    run.stages = [stage("wide", fake("Slow", seconds=0.05), resources={"cpu": 2})]
    seen: set[str] = set()
    result = run.run(lambda *_: seen.update(commands().values()))
    assert result.closed()
    assert sum("engines.local.worker" in command for command in seen) == 1
