"""Registered classes of scripts and notebooks: which of them workers import, and which travel with their code."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from mega_data_factory.compat.registries import OperatorRegistry
from mega_data_factory.framework import registry
from mega_data_factory.framework.config.mistakes import Place
from tests.compat.test_operators import OverTables, table


def test_a_registered_class_that_no_import_gives_travels_with_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class of a function, or of the block that a script does only when it is run; another of the script does not."""

    class Local(OverTables):
        pass

    monkeypatch.setattr(registry, "_REGISTERED", {kind: {} for kind in registry._REGISTERED})
    monkeypatch.setattr(registry, "_UNREACHABLE", {})
    text = "from tests.compat.test_operators import OverTables\nclass Top(OverTables): ...\n"
    (tmp_path / "curate.py").write_text(text + "if __name__ == '__main__':\n    class Below(OverTables): ...\n")
    script = ModuleType("__main__")
    script.__file__ = str(tmp_path / "curate.py")
    monkeypatch.setitem(sys.modules, "__main__", script)
    monkeypatch.setitem(sys.modules, "curate", script)
    exec(compile(Path(script.__file__).read_text(), script.__file__, "exec"), script.__dict__)
    for made, travels in ((Local, True), (script.Below, True), (script.Top, False), (OverTables, False)):
        OperatorRegistry.register("Mine", made)
        assert OperatorRegistry.get("Mine") is made
        found = registry.resolve("operator", "mine", {}, Place(("stages", 0)))
        assert bool(found.code) == travels, found
        assert found.build().judge(table("a")).reason.to_pylist() == ["all"]
