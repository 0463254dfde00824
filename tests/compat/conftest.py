"""Fixtures of tests on old configurations."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compat.old_files import OLD


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder, with `old.yaml`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.yaml").write_text(OLD, encoding="utf-8")
    (tmp_path / "domains.txt").write_text("worse.example\n", encoding="utf-8")
    return tmp_path
