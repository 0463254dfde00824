"""The manual of the metrics package cannot go stale.

`python tests/metrics/test_readme.py` writes the tables of columns anew.
"""

import re
from pathlib import Path

from mega_data_factory.framework.metrics import MetricsReader, schema

README = Path(schema.__file__).with_name("README.md")
START, END = "from schema.py -->\n", "<!-- end of columns -->"


def tables():
    parts = []
    for name, columns in schema.TABLES.items():
        rows = [f"| `{c.name}` | {_type(c.type)} | {c.metadata[b'comment'].decode()} |" for c in columns]
        parts.append("\n".join([f"### {name}", "", "| column | type | meaning |", "|---|---|---|", *rows, ""]))
    return "\n" + "\n".join(parts) + "\n"


def _type(kind):
    return "list of (bucket, count)" if str(kind).startswith("list") else str(kind)


def test_the_columns_are_those_of_the_schema():
    """The tables of the README are generated from the schema."""
    text = README.read_text(encoding="utf-8")
    assert text[text.index(START) + len(START) : text.index(END)] == tables()


def test_the_code_of_the_readme_runs(tmp_path, monkeypatch):
    """The first example does what it says, in the folder it names."""
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    exec(code, {})
    assert MetricsReader(tmp_path / "metrics").run("latest")["total_output_records"] == 1


if __name__ == "__main__":
    old = README.read_text(encoding="utf-8")
    README.write_text(old[: old.index(START) + len(START)] + tables() + old[old.index(END) :], encoding="utf-8")
