"""Workers do without pandas, and those who use it notice nothing."""

from __future__ import annotations

import subprocess
import sys


def run(code: str) -> str:
    start = (
        "import sys\nfrom mega_data_factory.framework.worker.without_pandas import keep_pandas_out\nkeep_pandas_out()\n"
    )
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
