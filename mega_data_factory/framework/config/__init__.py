"""Configuration of a pipeline: YAML in, checked models out.

Names are loaded when they are first used: a worker resolves names, and need not pay for YAML.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mega_data_factory.framework.config.metrics import MetricsConfig
    from mega_data_factory.framework.config.pipeline import PipelineConfig

__all__ = ["MetricsConfig", "PipelineConfig"]

_HOME_OF = {"MetricsConfig": "metrics", "PipelineConfig": "pipeline"}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
