"""Configuration of a pipeline: YAML in, checked models out.

- What is written: `yaml_parsing`, the `source` with the line of every key, its `variables`, an `old_form`.
- What it should be: `pipeline` and its sections `metrics` and `exporters`, each a `section`; `condition`.
- What is wrong with it: `mistakes`, found by `checking` it against its model, in its `components`, and by `rules`.

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
