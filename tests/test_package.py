"""The package: what it offers, and what it does not load until it is needed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import mega_data_factory


def test_help_loads_nothing_heavy() -> None:
    """`mdf --help` imports neither Ray nor polars nor pyarrow nor numpy, so that it answers at once."""
    code = (
        "import sys; from mega_data_factory.cli import main; main(['--help'])\n"
        "print(sorted({'ray', 'polars', 'pyarrow', 'numpy', 'pandas', 'plotly', 'pydantic_core'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(command in done.stdout for command in ("run", "plan", "validate", "operators"))


def test_public_names_load() -> None:
    """Every public name of the package can be imported, and an unknown one is an AttributeError."""
    assert all(getattr(mega_data_factory, name) is not None for name in mega_data_factory.__all__)
    with pytest.raises(AttributeError, match="Exekutor"):
        mega_data_factory.Exekutor  # noqa: B018 - the access is what is tested


@pytest.mark.parametrize("folder", ["metrics", "framework", "engines", "exports", "observe"])
def test_plans_of_test_folders_name_files_that_exist(folder: str) -> None:
    """The docstring of a large folder of tests sorts its files; a file that is gone or renamed is gone there too."""
    place = Path(__file__).parent / folder
    named = set(re.findall(r"\btest_\w+", (place / "__init__.py").read_text(encoding="utf-8")))
    assert named
    assert named <= {path.stem for path in place.glob("test_*.py")}


def test_long_folders_have_a_plan() -> None:
    """The docstring of a folder of ten modules or more names them all, or says that there is one per file."""
    for init in Path(mega_data_factory.__file__).parent.rglob("__init__.py"):
        modules = {path.stem for path in init.parent.glob("*.py") if not path.stem.startswith("_")}
        plan = ast.get_docstring(ast.parse(init.read_text(encoding="utf-8"))) or ""
        if len(modules) >= 10 and "per file" not in plan:
            unnamed = sorted(name for name in modules if f"`{name}`" not in plan)
            assert not unnamed, f"{init}: name {', '.join(unnamed)}"
