"""The web application over a metrics folder: runs, one run, its stages, operators and nodes, comparisons.

It reads only the folder, so it shows finished runs and runs in progress alike. Needs the extra `dashboard`.
"""

from __future__ import annotations

from typing import Any

from mega_data_factory import extras

extras.require("dashboard", "the dashboard")

__all__ = ["create_app", "serve"]

_HOMES = {"create_app": "app", "serve": "serving"}


def __getattr__(name: str) -> Any:
    """Load Dash only where a dashboard is wanted (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
