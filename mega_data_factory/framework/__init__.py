"""The run side: configuration, plan, engines, metrics.

- A run from the outside: `executor`.
- What a pipeline is: `contracts` of its parts, `rowwise` bases for one record at a time, `registry` of names, `plan`;
  classes of notebooks travel to workers by `class_by_value`.
- What moves: `batch`, as bytes `parcel`; `tables` and `exclusion_text` help with its records.
- What is measured of records: `judgement` and `scoring` by rules, `units` beside their number, `slice_columns`.

`PipelineConfig` can be imported from here, and the names of the original, which are those of
`mega_data_factory.compat`. Nothing is loaded before it is asked for.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME_OF = {"PipelineConfig": "mega_data_factory.framework.config.pipeline"}
_OLD_NAMES = "mega_data_factory.compat"


def __getattr__(name: str) -> Any:
    if name == "__all__":  # of `from mega_data_factory.framework import *`
        return [*_HOME_OF, *importlib.import_module(_OLD_NAMES).HOMES]
    if not name[:1].isupper():  # a module of this package, asked for before it is imported
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(_HOME_OF.get(name, _OLD_NAMES)), name)
    except AttributeError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
