"""No built-in operator becomes slower unnoticed, by instructions: seconds vary by more than what is asserted here."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "operator_instructions.py"

MOST_SLOWER = 0.05


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_operators_need_no_more_instructions_for_a_kilobyte_than_the_table_says() -> None:
    """A change that is meant, or one of the locked packages, renews the table: `operator_instructions.py --renew`."""
    assert shutil.which("valgrind"), "install valgrind: it counts the instructions"
    done = subprocess.run([sys.executable, str(BENCHMARK), "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    table = json.loads(BENCHMARK.with_suffix(".json").read_text())
    assert found.keys() == table.keys()
    slower = {name: found[name] / table[name] - 1 for name in table if found[name] > table[name] * (1 + MOST_SLOWER)}
    assert not slower, f"if that is meant: python {BENCHMARK} --renew"
