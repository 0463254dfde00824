"""The manual of the metrics package cannot go stale.

`python tests/metrics/test_readme.py` writes the tables of columns anew.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa

from mega_data_factory.framework import metrics
from mega_data_factory.framework.metrics import MetricsReader, schema

README = Path(metrics.__file__).with_name("README.md")
START, END = "from schema/ -->\n", "<!-- end of columns -->"


def tables() -> str:
    parts = []
    for name, columns in schema.TABLES.items():
        rows = [f"| `{c.name}` | {_type(c.type)} | {c.metadata[b'comment'].decode()} |" for c in columns]
        parts.append("\n".join([f"### {name}", "", "| column | type | meaning |", "|---|---|---|", *rows, ""]))
    return "\n" + "\n".join(parts) + "\n"


def _type(kind: pa.DataType | pa.TimestampType) -> str:
    return "list of (bucket, count)" if str(kind).startswith("list") else str(kind)


def test_the_columns_are_those_of_the_schema() -> None:
    """The tables of the README are generated from the schema."""
    text = README.read_text(encoding="utf-8")
    assert text[text.index(START) + len(START) : text.index(END)] == tables()


def test_the_code_of_the_readme_runs(tmp_path: Path) -> None:
    """The examples do what they say, in the folder they name; the one of several processes as a script of its own."""
    first, stages, workers, numbers = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    said = [_output("\n".join((first, stages, numbers)), tmp_path), _output(workers, tmp_path)]
    assert "75.0\n" in said[0]
    assert "= 12 records, more than the input of 10" in said[0]
    runs = MetricsReader(tmp_path / "metrics").runs()
    assert runs["total_input_records"].to_pylist() == [2, 4]  # the oldest first
    assert runs["total_output_records"].to_pylist() == [1, 3]


def _output(code: str, folder: Path) -> str:
    script = folder / "script.py"
    script.write_text(code, encoding="utf-8")
    ran = subprocess.run([sys.executable, script], cwd=folder, capture_output=True, text=True, timeout=240)
    assert not ran.returncode, ran.stderr
    return ran.stdout


if __name__ == "__main__":
    old = README.read_text(encoding="utf-8")
    README.write_text(old[: old.index(START) + len(START)] + tables() + old[old.index(END) :], encoding="utf-8")
