"""Grafana dashboard and Prometheus alert rules for the metrics of runs.

The dashboard is generated (`docs/grafana_dashboard.py`), the rules are written by hand; both are files of the package.
"""

from __future__ import annotations

from importlib import resources


def dashboard() -> str:
    """Return the dashboard, as JSON for Grafana's import."""
    return _read("dashboard.json")


def rules() -> str:
    """Return recording and alerting rules, as YAML for Prometheus' `rule_files`."""
    return _read("rules.yml")


def _read(name: str) -> str:
    return resources.files(__name__).joinpath(name).read_text(encoding="utf-8")
