"""What the base installation brings, what the extras bring, and what users read when an extra is missing."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from mega_data_factory import extras
from mega_data_factory.errors import ConfigError, MissingPackageError

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]

BY_PROTOCOL = {"fsspec"}
"""Comes with the package of whichever object store is asked for."""

ELSEWHERE = ("exports/superset/setup", "observe")
"""Modules that run within other programs, Superset and the engines of users, which bring what they import."""

ENGINES = {"dask", "datasets", "datatrove", "pyspark", "ray"}

LOADED_BY_ARROW = {"cloudpickle"}
"""PyArrow imports it wherever it is installed."""

HEAVY = {
    *extras.EXTRA_OF,
    *ENGINES,
    "asyncio",
    "fsspec",
    "pydantic",
    "pydantic_core",
    "rich",
    "typer",
    "yaml",
} - LOADED_BY_ARROW
"""What no step on somebody's worker waits for."""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _brought_by(requirements: list[str]) -> set[str]:
    """Return the distributions that requirements install, with all that these need."""
    found: set[str] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        requirement = waiting.pop()
        name = _normal(requirement.name)
        if name == "mega-data-factory":
            waiting += [Requirement(text) for extra in requirement.extras for text in EXTRAS[extra]]
        elif name not in found:
            found.add(name)
            needed = map(Requirement, importlib.metadata.requires(name) or ())
            waiting += [other for other in needed if other.marker is None or other.marker.evaluate({"extra": ""})]
    return found


def _imported() -> dict[str, set[str]]:
    """Return the packages of others that our modules import, each with the modules."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "mega_data_factory").rglob("*.py")):
        if any(path.is_relative_to(ROOT / "mega_data_factory" / folder) for folder in ELSEWHERE):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for package in {name.partition(".")[0] for name in names} - {"mega_data_factory"}:
                if package not in sys.stdlib_module_names and package != "_typeshed":
                    found.setdefault(package, set()).add(str(path.relative_to(ROOT)))
    return found


def test_every_import_comes_with_the_base_or_with_an_extra_that_is_named() -> None:
    """A package that we import is a dependency of the base, or errors can name the extra that installs it."""
    providers = importlib.metadata.packages_distributions()
    base = {_normal(Requirement(text).name) for text in PROJECT["dependencies"]}
    unnamed = {
        package: modules
        for package, modules in _imported().items()
        if not base & set(map(_normal, providers[package])) and package not in {*extras.EXTRA_OF, *BY_PROTOCOL}
    }
    assert not unnamed


@pytest.mark.parametrize("package", extras.EXTRA_OF)
def test_an_extra_installs_what_is_said_of_it(package: str) -> None:
    """The requirements of the named extra bring the package, and the base does not."""
    providers = set(map(_normal, importlib.metadata.packages_distributions().get(package, [package])))
    assert providers & _brought_by(EXTRAS[extras.EXTRA_OF[package]])
    assert not providers & _brought_by(PROJECT["dependencies"])


def test_all_is_every_extra() -> None:
    """The extra `all` lists all others, and every extra is known to error messages."""
    (everything,) = map(Requirement, EXTRAS["all"])
    assert everything.extras == set(EXTRAS) - {"all"} == set(extras.EXTRA_OF.values())


def test_the_manual_lists_every_extra() -> None:
    """The page on installing has each extra in its table, and nothing else."""
    rows = re.findall(r"^\| (`.*?) \|", (ROOT / "docs" / "install.md").read_text(), flags=re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(EXTRAS)


def loaded_by(statements: Sequence[str], packages: Collection[str]) -> dict[str, list[str]]:
    """Return which of the packages are loaded after each statement, in a new interpreter that executes all of them."""
    code = (
        "import json, sys\n"
        f"for statement in {list(statements)!r}:\n"
        "    exec(statement)\n"
        f"    print(json.dumps([statement, sorted({set(packages)!r} & set(sys.modules))]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return dict(json.loads(line) for line in done.stdout.splitlines())


def test_a_step_on_a_worker_imports_nothing_heavy() -> None:
    """Metrics, observed steps and contracts load Arrow and NumPy, and no package of an extra or of the command line."""
    statements = [
        "import mega_data_factory",
        "from mega_data_factory import MetricsCollector, MetricsWriter, OperatorMetrics, MetricsAggregator",
        "from mega_data_factory.framework.metrics import MetricsFlusher, MetricsReader, latency_percentiles",
        "import mega_data_factory.observe",
        "from mega_data_factory.observe import Judgement, ObservedRun, observe, reject, report",
        "from mega_data_factory import Filter, Judgement, Loader, Refiner, Rule, Writer",
    ]
    assert loaded_by(statements, HEAVY) == {statement: [] for statement in statements}


def test_commands_of_the_base_import_no_package_of_an_extra() -> None:
    """Running, watching and listing runs does without the packages of reports, of SQL and of the built-in operators."""
    commands = ["pipeline.run", "runs.list_and_show", "views.nodes", "pipeline.plan", "pipeline.operators"]
    commands += ["metrics.schema", "metrics.upkeep"]
    statements = [f"import mega_data_factory.cli.commands.{command}" for command in commands]
    assert loaded_by(statements, set(extras.EXTRA_OF) - LOADED_BY_ARROW) == {statement: [] for statement in statements}


def test_a_missing_package_is_an_import_error_and_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what needs which package and how to install it; other failed imports pass unchanged."""
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(MissingPackageError) as refused:
        extras.require("sql", "a question")
    assert isinstance(refused.value, ImportError)
    assert isinstance(refused.value, ConfigError)
    assert str(refused.value) == (
        "a question needs the package duckdb, which is not installed\n  hint: pip install 'mega-data-factory[sql]'"
    )
    with pytest.raises(MissingPackageError, match="a query needs the package duckdb"), extras.needed_by("a query"):
        import duckdb  # noqa: F401
    with pytest.raises(ModuleNotFoundError, match="no_such_package"), extras.needed_by("a query"):
        import no_such_package  # type: ignore[import-not-found]  # noqa: F401
    extras.require("report", "a report")


def test_several_missing_packages_are_named_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """One extra that brings several packages is one error."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(MissingPackageError, match="a report needs the packages jinja2, plotly, which are not"):
        extras.require("report", "a report")


WITHOUT = """
import sys
for package in {packages!r}:
    sys.modules[package] = None  # Python's own way to say that a package is not there
from mega_data_factory.cli import main
for arguments in {commands!r}:
    sys.stderr.write(f"code {{main(arguments)}}\\n")
"""


def test_commands_name_the_extra_that_they_lack(tmp_path: Path) -> None:
    """Without the packages of the extras each command that needs one ends with code 2 and one error that names it."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_text('{"text": "one"}\n')
    pipeline = (
        "data_loader: {type: jsonl_loader, params: {path: in}}\n"
        "stages: [{name: s, operators: [{name: OPERATOR}]}]\n"
        "data_writer: {type: parquet_writer, params: {output_path: out}}\n"
    )
    (tmp_path / "text.yaml").write_text(pipeline.replace("OPERATOR", "text_length_filter"))
    (tmp_path / "condition.yaml").write_text(
        pipeline.replace("name: OPERATOR", "name: 'mega_data_factory.testing:X', when: text = 'a'")
    )
    (tmp_path / "hub.yaml").write_text(
        pipeline.replace("jsonl_loader, params: {path", "hugging_face_loader, params: {dataset")
    )
    wanted = {
        ("validate", "-c", "text.yaml"): "text.yaml:2: stages[0].operators[0].name: text_length_filter needs|text",
        ("run", "-c", "text.yaml", "--engine", "ray"): "executor.engine: the engine `ray` needs|ray",
        (
            "run",
            "-c",
            "text.yaml",
            "--set",
            "executor.metrics.generate_report=true",
        ): "generate_report: a report needs|report",
        ("validate", "-c", "condition.yaml"): "a condition (`when`) needs the package duckdb|sql",
        ("validate", "-c", "hub.yaml"): "hugging_face_loader needs the package datasets|huggingface",
        ("report",): "a report needs|report",
        ("plot", "node", "-o", "x.html"): "drawing needs|report",
        ("dashboard",): "the dashboard needs|dashboard",
        ("metrics", "sql", "--metrics", ".", "FROM runs"): "SQL over metrics needs the package duckdb|sql",
        ("export", "superset", "--metrics", "."): "the export to Superset needs the package duckdb|sql",
        ("operators", "url_filter"): "url_filter needs the package polars|text",
    }
    code = WITHOUT.format(packages=list(extras.EXTRA_OF), commands=list(map(list, wanted)))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    answers = done.stderr.split("code 2\n")
    assert len(answers) == len(wanted) + 1, done.stderr
    for answer, (command, expected) in zip(answers, wanted.items(), strict=False):
        said, extra = expected.split("|")
        assert said in answer, command
        assert f"pip install 'mega-data-factory[{extra}]'" in answer, command
        assert answer.count("error[") == 1, command
    assert "Traceback" not in done.stderr


def test_the_list_of_operators_names_what_to_install() -> None:
    """Without the extra `text` the built-in operators are still listed, each with the command that makes it usable."""
    code = WITHOUT.format(packages=["polars"], commands=[["operators"]])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line.startswith("  ")}
    assert "needs polars: pip install 'mega-data-factory[text]'" in lines["url_filter"]
    assert "polars" not in lines["parquet_loader"]
