"""The manual says what the code does: generated pages are fresh, examples run, names and links exist."""

from __future__ import annotations

import importlib.util
import itertools
import json
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow.parquet as pq
import pytest
import typer
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

import mega_data_factory
from mega_data_factory import Executor, MetricsReader
from mega_data_factory.cli import failures, main
from mega_data_factory.cli.mdf_app import app
from mega_data_factory.errors import MdfError
from mega_data_factory.framework.config.condition import Condition
from mega_data_factory.framework.config.pipeline import PipelineConfig
from mega_data_factory.framework.plan import make_plan

ROOT = Path(__file__).parents[1]
MANUAL = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    """The fenced code blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", read(name), flags=re.MULTILINE | re.DOTALL)


def generator(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "docs")
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["configuration.md", "metrics-schema.md", "operators.md"])
def test_generated_pages_are_fresh(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is what `make docs` would write now."""
    assert read(f"docs/{page}") == generator(monkeypatch).PAGES[page]().rstrip("\n") + "\n"


def test_every_error_slug_is_in_the_manual() -> None:
    """docs/errors.md has a heading for every slug, and for nothing else."""
    headings = set(re.findall(r"^## `(.+)`$", read("docs/errors.md"), flags=re.MULTILINE))
    leaves = [leaf for leaf in MdfError.kinds() if leaf.__module__.startswith("mega_data_factory")]
    assert failures.UsageError in leaves
    assert headings == {MdfError.slug, *(leaf.slug for leaf in leaves)}


@pytest.mark.parametrize("page", MANUAL, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of the manual leads to a file that exists."""
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} → {target}"


def commands() -> dict[str, Any]:
    """Every command that does something, by its words: `run`, `runs list`."""
    found: dict[str, Any] = {}
    groups: list[tuple[str, Any]] = [("", typer.main.get_command(app))]
    while groups:
        prefix, group = groups.pop()
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                groups.append((f"{prefix}{name} ", command))
            else:
                found[prefix + name] = command
    return found


def test_every_command_and_option_is_in_the_manual() -> None:
    """docs/commands.md has a line for every command, with exactly its options, and a section for its JSON answer."""
    page = read("docs/commands.md")
    lines = dict(re.findall(r"^\| `mdf ([a-z ]+)` \|(.*)\|$", page, flags=re.MULTILINE))
    assert set(lines) == set(commands())
    for words, command in commands().items():
        options = {max(parameter.opts, key=len) for parameter in command.params if parameter.opts[0].startswith("-")}
        named = set(re.findall(r"`(--[a-z-]+)", lines[words]))
        assert named == options - {"--help"}, words
        assert f"### `mdf {words}`" in page, words


@pytest.mark.parametrize("page", MANUAL, ids=lambda page: page.name)
def test_commands_exist(page: Path) -> None:
    """Every `mdf` command and `make` target that the manual names exists."""
    text = page.read_text(encoding="utf-8")
    known = set(commands())
    for words in re.findall(r"(?:\$ |`)mdf ([a-z]+(?: [a-z]+)?)", text):
        assert words in known or words.split()[0] in known, f"mdf {words}"
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), flags=re.MULTILINE))
    assert set(re.findall(r"(?:\$ |`)make ([a-z-]+)", text)) <= targets


def test_the_options_in_the_readme_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """The options that the README gives `mdf run` are the ones that it has."""
    line = next(line for line in read("README.md").splitlines() if line.startswith("| `mdf run"))
    main(["run", "--help"])
    help_text = capsys.readouterr().out
    for option in re.findall(r"--[a-z-]+", line):
        assert option in help_text


def test_the_pipeline_in_the_readme_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The YAML of the README is a valid pipeline, given the user's class that it names."""
    package = tmp_path / "my_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "tone.py").write_text(blocks("docs/writing-an-operator.md", "python")[0], encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    pipeline, exporters = (yaml.safe_load(text) for text in blocks("README.md", "yaml"))
    plan = make_plan(PipelineConfig.from_dict(pipeline))
    make_plan(PipelineConfig.from_dict(pipeline | exporters))
    names = [operator.name for operator in plan.stages[0].operators]
    assert names == ["text_length_filter", "exact_deduplicator", "gopher_quality_filter"]


def test_the_python_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The Python of the README runs the example pipeline (here on few records and workers) and prints its operators."""
    config = yaml.safe_load(read("configs/example_with_metrics.yaml"))
    config["executor"] |= {"max_samples": 60, "batch_size": 30}
    config["data_loader"]["num_workers"] = 1
    for stage in config["stages"]:
        stage["worker"] = {"num_replicas": 1}
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "example_with_metrics.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    observe, run, draw = blocks("README.md", "python")
    compile(observe, "README.md", "exec")  # it needs Ray: the tests of observed engines run it
    exec(compile(draw, "README.md", "exec"), {})
    assert capsys.readouterr().out == "False\n"
    assert (tmp_path / "node-1.html").stat().st_size > 100_000
    exec(compile(run, "README.md", "exec"), {})
    out = capsys.readouterr().out
    assert "60 read" in out
    operators = [item["name"] for stage in config["stages"] for item in stage["operators"]]
    assert len(operators) >= 8
    assert all(name in out for name in operators)


def test_the_operator_of_the_manual_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The guide's filter, configuration and test work as printed: reasons, scores, custom metric, `mdf operators`."""
    page = "docs/writing-an-operator.md"
    for code in [*blocks(page, "python"), *blocks(page, "yaml")]:
        name = code.splitlines()[0].removeprefix("# ")
        (tmp_path / name).write_text(code, encoding="utf-8")
    posts = ["Be calm.", "STOP SHOUTING", "...", "All is well."]
    (tmp_path / "posts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in posts))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])

    tests: dict[str, object] = {}
    exec((tmp_path / "test_shouting.py").read_text(), tests)
    tests["test_capitals_are_shouting"]()  # type: ignore[operator]
    assert main(["operators", "shouting:ShoutingFilter"]) == 0
    assert "greatest share of capitals" in capsys.readouterr().out
    assert main(["operators", "shouting_rows:AllCapsFilter"]) == 0
    capsys.readouterr()
    assert main(["run", "--config", "shouting.yaml", "--json", "--run-id", "run_s"]) == 0
    operator = json.loads(capsys.readouterr().out)["stages"][0]["operators"][0]
    assert operator["rejected_reasons"] == {"shouting": 1, "no_letters": 1}
    assert operator["custom_metrics"] == {"letters": sum(c.isalpha() for text in posts for c in text)}
    assert sorted(pq.read_table("calm", columns=["text"]).column("text").to_pylist()) == ["All is well.", "Be calm."]
    samples = [json.loads(line) for line in Path("rejected/run_s.jsonl").read_text().splitlines()]
    assert {sample["reason"]: sample.get("score") for sample in samples} == {"shouting": 1.0, "no_letters": None}


def test_the_refiners_of_the_manual_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guide's refiners run one after another: by rows, by table, and with a built-in operator inside."""
    for code in blocks("docs/writing-an-operator.md", "python"):
        (tmp_path / code.splitlines()[0].removeprefix("# ")).write_text(code, encoding="utf-8")
    (tmp_path / "posts.jsonl").write_text(json.dumps({"text": " All is wellâ€¦ \nBe calm. 好。"}), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    names = ["shouting_rows:FirstLineRefiner", "titles:TitleRefiner", "sentences:SentenceCountRefiner"]
    executor = Executor(
        {
            "data_loader": {"type": "jsonl_loader", "params": {"path": "posts.jsonl"}},
            "stages": [{"name": "refine", "operators": [{"name": name} for name in names]}],
            "data_writer": {"type": "parquet_writer", "params": {"output_path": "out"}},
            "executor": {"metrics": {"collect_custom_metrics": True}},
        }
    )
    assert executor.run().records_written == 1
    rows = pq.read_table("out", columns=["title", "sentences"]).to_pylist()
    assert rows == [{"title": "All is well…", "sentences": 2}]
    reported = [row["custom_metrics"] for row in MetricsReader("./metrics").operators(executor.run_id).to_pylist()]
    assert "repaired_records" in str(reported[1])


def test_the_conditions_of_the_manual_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The pipeline of the page on conditions gives each operator the records that match, and says how many did not."""
    pages = [
        {"text": "A page in English that is long enough to stay.", "language": "en", "meta": {"source": "crawl"}},
        {"text": "Too short to stay, if not short.", "language": "en", "meta": {"source": "crawl"}},
        {"text": "Short, from a wiki.", "language": "en", "meta": {"source": "wikipedia"}},
        {"text": "短い。", "language": "ja", "meta": {"source": None}},
        {"text": "短い。", "language": "ja", "meta": {"source": None}},
    ]
    (tmp_path / "pages.jsonl").write_text("".join(json.dumps(page) + "\n" for page in pages), encoding="utf-8")
    (tmp_path / "conditions.yaml").write_text(blocks("docs/conditions.md", "yaml")[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["run", "--config", "conditions.yaml", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    operators = answer["stages"][0]["operators"]
    assert [operator["unmatched_records"] for operator in operators] == [3, 3, 2]
    assert [operator["rejected_records"] for operator in operators] == [0, 1, 0]
    rows = pq.read_table("out").to_pylist()
    assert [row["text"] for row in rows] == [pages[at]["text"] for at in (0, 2, 3, 4)]
    added = pq.read_table("out").column_names[4:]
    assert [[row[name] is None for name in added] for row in rows] == [[at > 0] * len(added) for at in range(4)]
    assert main(["runs", "show", answer["run"]["run_id"]]) == 0
    assert "not matched" in capsys.readouterr().out


def test_every_function_of_the_page_on_conditions_exists() -> None:
    """Every example in the table of expressions is a condition, or is one when compared."""
    table = read("docs/conditions.md").partition("| kind | examples |")[2].partition("\n\n")[0]
    calls = re.findall(r"`(\w+\([^`]*\)|n % 10|date '[^`]*'|hash[^`]*)`", table)
    assert len(calls) > 12
    for call in calls:
        Condition(call if "<" in call else f"({call}) is not null")


def test_the_change_log_knows_this_version() -> None:
    """The newest entry of the change log is of the version of the package."""
    newest = re.search(r"^## (\S+)", read("CHANGELOG.md"), flags=re.MULTILINE)
    assert newest is not None
    assert newest[1] == mega_data_factory.__version__


def test_the_lock_holds_what_the_project_asks_for() -> None:
    """Every dependency is pinned in the lock within its range, every pin has hashes, and no registry is named."""
    project = tomllib.loads(read("pyproject.toml"))
    asked = [*project["project"]["dependencies"], *itertools.chain(*project["dependency-groups"].values())]
    asked += itertools.chain(*project["project"]["optional-dependencies"].values())
    lock = read("requirements.lock") + read("requirements-spark.lock")
    assert "://" not in lock
    pins = dict(re.findall(r"^([a-z0-9_-]+)==([^\s;\\]+)", lock, flags=re.MULTILINE))
    for requirement in (wanted for wanted in map(Requirement, asked) if wanted.name != project["project"]["name"]):
        pinned = pins[re.sub(r"[-_.]+", "-", requirement.name).lower()]
        assert requirement.specifier.contains(Version(pinned)), f"{requirement}: {pinned} is locked; run `make lock`"
    entries = re.split(r"\n(?=[a-z])", lock.strip())
    assert all("--hash=sha256:" in entry for entry in entries)


def test_the_keys_of_the_json_answers_are_documented(capsys: pytest.CaptureFixture[str]) -> None:
    """Every key of the JSON answers of plan, validate and operators is named in docs/commands.md."""
    config = str(ROOT / "configs" / "example_with_metrics.yaml")
    page = read("docs/commands.md")
    for arguments in (["plan", "--config", config], ["validate", "--config", config], ["operators", "url_filter"]):
        assert main([*arguments, "--json"]) == 0
        for key in json.loads(capsys.readouterr().out):
            assert f"`{key}`" in page, (arguments[0], key)


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_the_pages_for_maintainers_name_what_exists(page: str) -> None:
    """Every path that they name exists, below the project or below the package."""
    code = re.sub(r"^```.*?^```", "", read(page), flags=re.MULTILINE | re.DOTALL)
    paths = {
        path for path in re.findall(r"`([\w./]+)`", code) if "/" in path or path.endswith((".py", ".toml", ".lock"))
    }
    assert len(paths) > 2
    gone = {path for path in paths if not ((ROOT / path).exists() or (ROOT / "mega_data_factory" / path).exists())}
    assert not gone - {"build/"}, "build/ is made by the slow tests"
