"""The dashboard and the rules: fresh, over metrics that exist, and alerts that fire when they should."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mega_data_factory.cli import main
from mega_data_factory.exports import grafana
from mega_data_factory.exports.families import Families
from mega_data_factory.exports.prometheus.exposition import exposed
from tests.exports.snapshots import complete_snapshot

ROOT = Path(__file__).parents[2]


def panel_queries() -> Iterator[tuple[str, str]]:
    """Title of the panel and PromQL of each of its queries."""
    for panel in json.loads(grafana.dashboard())["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def all_rules() -> list[dict[str, Any]]:
    """Every recording and alerting rule."""
    return [rule for group in yaml.safe_load(grafana.rules())["groups"] for rule in group["rules"]]


def exported_names() -> set[str]:
    """Every name that a scrape may hold."""
    text, _ = exposed(Families().from_snapshot(complete_snapshot()))
    return set(re.findall(r"^(mdf_\w+)[{ ]", text.decode(), flags=re.MULTILINE))


def test_the_dashboard_is_fresh() -> None:
    """The file in the package is what `docs/grafana_dashboard.py` would write now."""
    command = [sys.executable, str(ROOT / "docs" / "grafana_dashboard.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_queries_ask_for_metrics_that_exist() -> None:
    """Every metric that a panel, a variable or a rule names is exported, or recorded by a rule."""
    asked = " ".join([grafana.dashboard(), *(rule["expr"] for rule in all_rules())])
    recorded = {rule["record"] for rule in all_rules() if "record" in rule}
    assert set(re.findall(r"\bmdf_\w+", asked)) <= exported_names()
    assert set(re.findall(r"\bmdf:[\w:]+", asked)) <= recorded


def test_panels_have_numbers_and_a_text_of_their_own() -> None:
    """No two panels have the same id, and each says how to read it."""
    panels = json.loads(grafana.dashboard())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["description"] for panel in panels if panel["type"] != "row")


def test_the_command_writes_both_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`mdf export grafana` writes the dashboard and, where asked, the rules."""
    board, rules = tmp_path / "board.json", tmp_path / "rules.yml"
    assert main(["export", "grafana", "-o", str(board), "--rules", str(rules), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"dashboard": str(board), "rules": str(rules)}
    assert board.read_text(encoding="utf-8") == grafana.dashboard()
    assert rules.read_text(encoding="utf-8") == grafana.rules()


def test_one_file_cannot_be_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The rules do not overwrite the dashboard that was just written."""
    file = tmp_path / "both"
    assert main(["export", "grafana", "-o", str(file), "--rules", str(file)]) == 2
    assert "error[usage]: --output and --rules are both" in capsys.readouterr().err
    assert not file.exists()


@pytest.mark.slow
def test_alerts_fire_when_they_should_and_not_otherwise(tmp_path: Path) -> None:
    """Prometheus' own rule tester agrees with every case of rules_test.yml, and there is one for every alert."""
    cases = Path(__file__).with_name("rules_test.yml")
    shutil.copy(cases, tmp_path)
    (tmp_path / "rules.yml").write_text(grafana.rules(), encoding="utf-8")
    done = subprocess.run(["promtool", "test", "rules", str(tmp_path / cases.name)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    tests = [case for test in yaml.safe_load(cases.read_text())["tests"] for case in test["alert_rule_test"]]
    fired = {case["alertname"] for case in tests if case["exp_alerts"]}
    quiet = {case["alertname"] for case in tests if not case["exp_alerts"]}
    alerts = {rule["alert"] for rule in all_rules() if "alert" in rule}
    assert fired == alerts
    assert quiet | {"MdfErrorRateHigh", "MdfExportsFail"} == alerts  # these two: a healthy series beside the ill one


def test_the_manual_names_every_metric() -> None:
    """The table of docs/monitoring.md holds every metric that is exported, and none that is not; so do the alerts."""
    page = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(mdf_\w+)`", page))
    exported = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exported_names()}
    assert named == exported
    assert set(re.findall(r"^\| `(Mdf\w+)`", page, flags=re.MULTILINE)) == {
        rule["alert"] for rule in all_rules() if "alert" in rule
    }
