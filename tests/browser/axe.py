"""axe-core, which finds what keeps people from using a page: installed by npm into `build/`, once."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from playwright.sync_api import Page

VERSION = "4.14.1"
_FOLDER = Path(__file__).parents[2] / "build" / "axe"


def axe_script() -> str:
    """The text of axe-core. Raises where npm is missing or cannot reach its registry."""
    script = _FOLDER / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        _FOLDER.mkdir(parents=True, exist_ok=True)
        command = [
            "npm",
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--prefix",
            str(_FOLDER),
            f"axe-core@{VERSION}",
        ]
        subprocess.run(command, check=True, timeout=120)
    return script.read_text(encoding="utf-8")


def violations(page: Page) -> list[str]:
    """What axe-core finds serious or critical in a page that is open in Playwright, in words."""
    page.evaluate(f"{axe_script()}; 0")
    results = json.loads(page.evaluate("axe.run(document).then((found) => JSON.stringify(found.violations))"))
    return [
        f"{found['id']}: {node['target']} {node['failureSummary']}"
        for found in results
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"]
    ]
