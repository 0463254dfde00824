"""The base installation, really made: a wheel in an environment that has nothing else."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

OPERATORS = '''
import pyarrow.compute as pc

from mega_data_factory import Filter, Judgement, Rule


class LongFilter(Filter):
    """Rejects short texts."""

    def judge(self, table):
        lengths = pc.utf8_length(table.column("text"))
        return Judgement.of(table.num_rows, [Rule("short", pc.less(lengths, 5), lengths, 5)])
'''

PIPELINE = """
data_loader: {type: jsonl_loader, params: {path: in}}
stages: [{name: judge, operators: [{name: "own:LongFilter"}]}]
data_writer: {type: parquet_writer, params: {output_path: out}}
executor: {metrics: {output_path: metrics}}
"""

BY_HAND = """
from mega_data_factory import MetricsCollector, MetricsReader, MetricsWriter
from mega_data_factory.framework.metrics import latency_percentiles

collector = MetricsCollector("run_by_hand")
with collector.track_run(), collector.track_stage("clean"):
    for _ in range(10):
        with collector.track_operator("long_filter", "clean", "worker_0") as operator:
            operator.records(input=10, output=8, reasons={"short": 2})
MetricsWriter("metrics").write_all(
    run_metrics=collector.get_run_metrics(),
    stage_metrics=collector.get_stage_metrics(),
    operator_metrics=collector.get_operator_metrics(),
)
reader = MetricsReader("metrics")
print(reader.run("latest")["total_input_records"])
print(latency_percentiles(reader.operators(), ["operator_name"]).column("records").to_pylist())
"""


OBSERVED = """
import mega_data_factory as mdf

with mdf.observe("nightly", metrics="metrics") as run:
    keep_odd = run.step(lambda rows: [row for row in rows if row["n"] % 2], stage="judge", reason="even")
    assert len(keep_odd([{"n": n} for n in range(10)])) == 5
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield the `bin` folder of an environment with the base installation."""
    folder = tmp_path_factory.mktemp("base")
    try:
        build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
        subprocess.run([*build, "--wheel-dir", str(folder), str(ROOT)], check=True)
        (wheel,) = folder.glob("*.whl")
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        install = [str(folder / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet", str(wheel)]
        subprocess.run(install, check=True)
        yield folder / "venv" / "bin"
    finally:
        shutil.rmtree(folder)  # 300 MB that pytest would keep for three more runs


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder with a source, an operator and a pipeline."""
    (tmp_path / "in").mkdir()
    records = [{"text": text} for text in ("tiny", "long enough", "no", "also long enough")]
    (tmp_path / "in" / "a.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (tmp_path / "own.py").write_text(OPERATORS)
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    return tmp_path


def run(program: Path, *arguments: str, at: Path) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "MDF_METRICS")}
    return subprocess.run(
        [str(program), *arguments], cwd=at, env=environment, capture_output=True, text=True, check=False
    )


def test_a_pipeline_runs_and_its_metrics_are_read(base: Path, place: Path) -> None:
    """JSON lines through an operator of one's own to Parquet; then every command that only needs the base."""
    mdf = base / "mdf"
    assert run(mdf, "--help", at=place).returncode == 0
    done = run(mdf, "run", "-c", "pipeline.yaml", "--json", at=place)
    assert done.returncode == 0, done.stderr
    ended = json.loads(done.stdout)["run"]
    assert (ended["total_input_records"], ended["total_output_records"]) == (4, 2)
    for command in (
        ["validate", "-c", "pipeline.yaml"],
        ["plan", "-c", "pipeline.yaml"],
        ["runs", "list"],
        ["runs", "show"],
        ["nodes", "--once"],
        ["operators"],
        ["metrics", "schema", "runs"],
        ["metrics", "compact", "--min-age", "0s"],
        ["metrics", "prune", "--max-runs", "1"],
        ["export", "grafana"],
    ):
        done = run(mdf, *command, at=place)
        assert done.returncode == 0, (command, done.stderr)
        assert "Traceback" not in done.stderr, command


def test_commands_that_need_more_name_the_extra(base: Path, place: Path) -> None:
    """Each ends with one error and the command that installs what it needs, and leaves nothing behind."""
    mdf = base / "mdf"
    assert run(mdf, "run", "-c", "pipeline.yaml", "--quiet", at=place).returncode == 0
    before = sorted(place.rglob("*"))
    for extra, command in (
        ("report", ["report"]),
        ("report", ["plot", "node", "-o", "x.html"]),
        ("dashboard", ["dashboard"]),
        ("sql", ["metrics", "sql", "FROM runs"]),
        ("sql", ["export", "superset"]),
        ("ray", ["run", "-c", "pipeline.yaml", "--engine", "ray"]),
        ("text", ["validate", "-c", "pipeline.yaml", "--set", "stages.judge.operators=[{name: url_filter}]"]),
        ("s3", ["runs", "list", "--metrics", "s3://bucket/metrics"]),
    ):
        done = run(mdf, *command, at=place)
        assert done.returncode != 0, command
        assert f"pip install 'mega-data-factory[{extra}]'" in done.stderr, (command, done.stderr)
        assert done.stderr.count("error[") == 1, done.stderr
        assert "Traceback" not in done.stderr, done.stderr
    assert sorted(place.rglob("*")) == before


def test_a_compressed_source_names_the_extra(base: Path, place: Path) -> None:
    """A gzip file needs a package of the extra `text`; the run says so."""
    plain = place / "in" / "a.jsonl"
    with gzip.open(place / "in" / "b.jsonl.gz", "wb") as file:
        file.write(plain.read_bytes())
    done = run(base / "mdf", "run", "-c", "pipeline.yaml", at=place)
    assert done.returncode != 0
    assert "a .gz file needs the package isal, which is not installed" in done.stderr
    assert "pip install 'mega-data-factory[text]'" in done.stderr


def test_a_program_is_observed(base: Path, place: Path) -> None:
    """An observed step records its run, and `mdf runs show` has its reasons."""
    (place / "observed.py").write_text(OBSERVED)
    done = run(base / "python", "observed.py", at=place)
    assert done.returncode == 0, done.stderr
    shown = run(base / "mdf", "runs", "show", "latest", at=place)
    assert shown.returncode == 0, shown.stderr
    assert "even" in shown.stdout


def test_metrics_are_written_from_a_script(base: Path, place: Path) -> None:
    """The metrics classes record a run without any pipeline of ours, and `mdf runs list` shows it."""
    (place / "by_hand.py").write_text(BY_HAND)
    done = run(base / "python", "by_hand.py", at=place)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["100", "[100]"]
    listed = run(base / "mdf", "runs", "list", "--json", at=place)
    assert [found["run_id"] for found in json.loads(listed.stdout)["runs"]] == ["run_by_hand"]
