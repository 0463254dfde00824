"""The FineWeb recipe with three lines of ours: what datatrove says of its filters is what the run says.

The recipe is that of datatrove's `examples/fineweb.py` but for three things: it runs on this machine instead of Slurm,
it reads WARC files that the test writes, and its extractor may take longer than a second, as machines are busy. Its
lists of addresses are in datatrove's package. Its language model is not: a smaller one, in a package, takes its place.
"""

from __future__ import annotations

import difflib
import gzip
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mega_data_factory.framework.metrics import MetricsReader, OperatorMetrics
from mega_data_factory.reports import write_report
from tests import environments
from tests.observe.fineweb.pages import write_pages
from tests.observe.runs import rows_of, run_row
from tests.processes import end

_HERE = Path(__file__).parent

_CHANGES = {
    "from datatrove.executor.local": "import mega_data_factory as mdf\nfrom datatrove.executor.local",
    "    main_processing_executor.run()": '    with mdf.observe("fineweb", metrics=f"{MAIN}/metrics") as run:\n'
    '        run.pipeline(main_processing_executor, stage="base_processing").run()',
}
"""What a user changes of the recipe."""

_REASONS: dict[str, set[str]] = {
    "URLFilter": {"hard_blacklisted"},
    "LanguageFilter": set(),  # it gives none
    "GopherRepetitionFilter": {"dup_line_frac", "duplicated_5_n_grams"},
    "GopherQualityFilter": {"gopher_short_doc", "gopher_enough_stop_words"},
    "C4QualityFilter": {"lorem_ipsum", "too_few_sentences"},
    "FineWebQualityFilter": {"line_punct_ratio"},
}
"""Filter → reasons that the pages are made for."""


def _observed(recipe: str) -> str:
    for before, after in _CHANGES.items():
        assert recipe.count(before) == 1
        recipe = recipe.replace(before, after)
    return recipe


def _environment(folder: Path) -> dict[str, str]:
    """Return variables under which nothing is downloaded, and caches are below a folder."""
    nowhere = "http://127.0.0.1:9"
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "HF_HUB_OFFLINE": "1",
        "http_proxy": nowhere,
        "https_proxy": nowhere,
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }


def _run(command: list[str | Path], folder: Path, environment: dict[str, str]) -> None:
    """Run a command; end all of its processes, for an executor of datatrove waits for a worker that has failed."""
    log = folder / "recipe.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=output, stderr=output, start_new_session=True
        )
        try:
            code = process.wait(1000)
        finally:
            if process.poll() is None:
                end(process, with_children=True)
    assert code == 0, log.read_text()[-3000:]


def _total(statistic: Any) -> int:
    return int(statistic["total"] if isinstance(statistic, dict) else statistic)


def _compare(row: OperatorMetrics, stats: dict[str, Any]) -> None:
    """Compare a row with what datatrove says of the step: documents in and out, and the reasons of a filter."""
    counts = {name: _total(statistic) for name, statistic in stats.items()}
    reasons = {name.removeprefix("dropped_"): n for name, n in counts.items() if name.startswith("dropped_")}
    assert row.input_records == counts["total"], row.operator_name
    assert row.rejected_records == counts.get("dropped", 0), row.operator_name
    assert row.output_records == counts.get("forwarded", counts["total"]), row.operator_name
    assert row.rejected_reasons == reasons, row.operator_name
    assert row.error_count == row.unbalanced_records == 0, row.operator_name


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_fineweb_recipe_with_three_lines_of_ours(tmp_path: Path) -> None:
    python = environments.fineweb() / "bin" / "python"
    recipe = (_HERE / "recipe.py").read_text()
    script = tmp_path / "recipe.py"
    script.write_text(_observed(recipe))
    added = [line for line in difflib.ndiff(recipe.splitlines(), script.read_text().splitlines()) if line[0] == "+"]
    assert len(added) == 3
    pages = write_pages(tmp_path / "warc")
    environment = _environment(tmp_path)
    _run([python, _HERE / "give_model.py"], tmp_path, environment)
    _run([python, script, tmp_path], tmp_path, environment)

    metrics = tmp_path / "metrics"
    (run_id,) = MetricsReader(metrics).list_runs()
    described = run_row(metrics, run_id)
    assert (described["status"], described["balanced"], described["unbalanced_records"]) == ("completed", True, 0)
    assert described["engine"] == "datatrove 0.10.1"

    (file,) = tmp_path.rglob("stats.json")
    theirs = [step["stats"] for step in json.loads(file.read_text())]
    ours = sorted(rows_of(metrics, run_id).values(), key=lambda row: row.operator_index)
    assert len(ours) == len(theirs) == 9
    for row, stats in zip(ours[1:], theirs[1:], strict=True):
        _compare(row, stats)
    assert ours[0].output_records == theirs[0]["documents"]["total"] == pages
    rejected = {row.operator_name: row for row in ours if row.rejected_records}
    assert rejected.keys() == {"Trafilatura", *_REASONS}
    for name, reasons in _REASONS.items():
        assert reasons <= rejected[name].rejected_reasons.keys(), name
    files = tmp_path.glob("base_processing/output/**/*.gz")
    assert sum(gzip.decompress(file.read_bytes()).count(b"\n") for file in files) == ours[-1].output_records > 100
    page = Path(write_report(MetricsReader(metrics), run_id, str(tmp_path / "report.html")).path).read_text()
    assert all(f">{name}<" in page or f'"{name}"' in page for name in rejected)
    assert "lorem_ipsum" in page
