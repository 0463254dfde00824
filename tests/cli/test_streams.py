"""The command where its streams are closed, broken, or take no letter beyond their encoding."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from mega_data_factory.cli.display.console import stdout
from mega_data_factory.framework.metrics import MetricsReader

MDF = [sys.executable, "-m", "mega_data_factory.cli"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A small pipeline that rejects something, in a folder of its own."""
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": "x" * (n % 7)}) + "\n" for n in range(100)))
    text = f"""
data_loader: {{type: jsonl_loader, params: {{path: {tmp_path}/in.jsonl}}}}
stages: [{{name: s, operators: [{{name: text_length_filter, params: {{min_length: 2}}}}]}}]
data_writer: {{type: jsonl_writer, params: {{output_path: {tmp_path}/out}}}}
executor: {{metrics: {{output_path: {tmp_path}/metrics}}}}
"""
    (tmp_path / "p.yaml").write_text(text)
    return tmp_path / "p.yaml"


def check_completed(folder: Path) -> None:
    run = MetricsReader(str(folder / "metrics")).run("latest")
    assert (run["status"], run["error"], run["total_output_records"]) == ("completed", None, 70)


_MORE = pytest.mark.slow
"""For cases that start an interpreter each, of which the first and the hardest are run with every change."""


@pytest.mark.parametrize(
    "command",
    [
        "{run} | head -1",
        pytest.param("{run} 2>&1 | true", marks=_MORE),
        pytest.param("{run} >&-", marks=_MORE),
        pytest.param("{run} 2>&-", marks=_MORE),
        "{run} >&- 2>&- <&-",
    ],
)
def test_a_run_completes_whoever_reads(config: Path, command: str) -> None:
    """A pipe that breaks, and streams that are closed, end neither the run nor its record."""
    run = f"{' '.join(MDF)} run --config {config}"
    shell = f"set -o pipefail; {command.format(run=run)}"
    ended = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, cwd=config.parent, timeout=100)
    assert ended.returncode in (0, 141), ended.stderr
    assert "Traceback" not in ended.stderr
    check_completed(config.parent)


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"PYTHONIOENCODING": "gbk"}, marks=_MORE),
        {"PYTHONIOENCODING": "ascii"},
        pytest.param({"LC_ALL": "C", "PYTHONUTF8": "0"}, marks=_MORE),
    ],
)
def test_a_terminal_that_lacks_letters_gets_others(config: Path, environment: dict[str, str]) -> None:
    """Lines and units are shown with the letters that the encoding has."""
    ended = subprocess.run(
        [*MDF, "run", "--config", str(config)],
        capture_output=True,
        cwd=config.parent,
        env={**os.environ, **environment, "PYTHONCOERCECLOCALE": "0"},
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert b"text_length_filter" in ended.stdout
    if environment.get("PYTHONIOENCODING") == "ascii":
        assert b"----" in ended.stdout
    check_completed(config.parent)


def test_a_script_without_a_guard_is_told_of_it(tmp_path: Path) -> None:
    """A script that names its own operator and runs a pipeline when it is imported ends with one error."""
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n')
    (tmp_path / "script.py").write_text(
        f"""
from mega_data_factory import Executor
from mega_data_factory.operators.filters.text_length_filter import TextLengthFilter
class Mine(TextLengthFilter): pass
for _ in Executor({{
    "data_loader": {{"type": "jsonl_loader", "params": {{"path": "{tmp_path}/in.jsonl"}}}},
    "stages": [{{"name": "s", "operators": [{{"name": "script:Mine"}}]}}],
    "data_writer": {{"type": "jsonl_writer", "params": {{"output_path": "{tmp_path}/out"}}}},
    "executor": {{"metrics": {{"enabled": False}}}},
}}).execute(): pass
"""
    )
    ended = subprocess.run(
        [sys.executable, "script.py"], capture_output=True, text=True, cwd=tmp_path, timeout=100, check=False
    )
    assert ended.returncode != 0
    assert "if __name__ == " in ended.stderr


def test_an_operator_of_a_notebook_cell_is_refused(config: Path) -> None:
    """Workers cannot import what is in `__main__`; the error says where to put it."""
    ended = subprocess.run(
        [*MDF, "validate", "--config", str(config), "--set", "stages.s.operators.0.name=__main__:Loud"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 2
    assert "my_operators:Loud" in ended.stderr


def test_a_terminal_shows_what_is_in_the_data_and_obeys_none_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Escape sequences, returns and turns of direction of a value are replaced, in texts, markup and tables alike."""
    value = "a\x1b[31mb\rc\x9b2J\u202ed\te"
    table = Table(box=None)
    table.add_column("value\x1b]0;x\x07")
    table.add_row(value)
    console = stdout()
    console.print(Text(value))
    console.print(value, markup=False)
    console.print(table)
    written = capsys.readouterr().out
    assert not {letter for letter in written if not letter.isprintable()} - {"\n", "\t"}
    assert written.count("a\ufffd[31mb") == 3


def test_a_terminal_still_has_colours() -> None:
    """What the program itself says of style is obeyed."""
    shown = io.StringIO()
    console = type(stdout())(file=shown, force_terminal=True, color_system="standard")
    console.print(Text("red\x1b[0m", style="red"))
    assert shown.getvalue() == "\x1b[31mred\ufffd[0m\x1b[0m\n"
