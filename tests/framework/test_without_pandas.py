"""Workers do without pandas, and those who use it notice nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.engines.running import Pipeline, fake, jsonl, stage


def run(code: str) -> str:
    start = "import sys\nfrom mega_data_factory.framework.without_pandas import keep_pandas_out\nkeep_pandas_out()\n"
    return subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, check=True).stdout


def test_arrow_converts_without_pandas() -> None:
    """After the first conversions, of lists and of arrays, pandas has not been imported."""
    code = """
import numpy as np, pyarrow as pa
pa.array([1, None, 2]); pa.array(np.arange(3)); pa.table({"a": ["x"]}).to_pylist()
print("pandas" in sys.modules)
"""
    assert run(code) == "False\n"


def test_who_imports_pandas_has_it_whole() -> None:
    """A series is known as such, with NaN as null, and tables become frames, as without us."""
    code = """
import pyarrow as pa
import pandas as pd
print(pa.array(pd.Series([1.0, float("nan")])).null_count, pa.table({"a": [1]}).to_pandas().shape, pd.__spec__.name)
from pandas import DataFrame
print(pa.Table.from_pandas(DataFrame({"a": [1, 2]})).num_rows)
"""
    assert run(code) == "1 (1, 1) pandas\n2\n"


def test_frames_need_no_import_of_their_own() -> None:
    """`to_pandas` works where nobody has imported pandas before."""
    assert run('import pyarrow as pa\nprint(pa.table({"a": [1]}).to_pandas().shape)') == "(1, 1)\n"


def test_no_worker_has_pandas(tmp_path: Path) -> None:
    """Whatever the built-in operators do in a run, no worker of it loads pandas."""
    names = ["text_length_filter", "exact_deduplicator", "unicode_repair_refiner", "text_statistics_refiner"]
    names += ["language_refiner", "gopher_repetition_filter", "gopher_quality_filter"]
    names += ["c4_quality_filter", "fineweb_quality_filter", "minhash_deduplicator"]
    source = jsonl(tmp_path / "a.jsonl", [f"This is a text about the number {n} and its friends." for n in range(200)])
    witness = fake("NotesModule", module="pandas")
    stages = [stage("only", *({"name": name} for name in names), witness), stage("last", witness)]
    result = Pipeline(tmp_path / "run", source, stages, executor={"metrics": {"collect_custom_metrics": True}}).run()
    assert result.error is None
    seen = [row["custom_metrics"] for row in result.operators if row["operator_name"].startswith("notes_module")]
    assert all((custom or {}).get("loaded", 0) == 0 for custom in seen)
