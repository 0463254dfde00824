"""Metrics for a pipeline that another engine executes: Ray Data, Spark, Dask, datasets, datatrove, plain Python.

    import mega_data_factory as mdf

    with mdf.observe("nightly_clean", metrics="./metrics") as run:
        ds = ds.map_batches(run.step(normalise, stage="clean"), batch_format="pyarrow")
        ds = ds.filter(run.step(is_english, stage="judge", reason="not_english"))

`mdf.observe` is this package and the function at once: the package can be called. `from mega_data_factory.observe
import observe` gives the function alone.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mega_data_factory.framework.contracts import Judgement
    from mega_data_factory.observe.counting.calls import reject, report
    from mega_data_factory.observe.driver.run import ObservedRun, observe

__all__ = ["Judgement", "ObservedRun", "observe", "reject", "report"]

_HOMES = {
    "Judgement": "mega_data_factory.framework.contracts",
    "ObservedRun": "mega_data_factory.observe.driver.run",
    "observe": "mega_data_factory.observe.driver.run",
    "reject": "mega_data_factory.observe.counting.calls",
    "report": "mega_data_factory.observe.counting.calls",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


class _CallableModule(ModuleType):
    """The package as a function: `mdf.observe(...)`."""

    def __call__(self, *args: Any, **kwargs: Any) -> ObservedRun:
        from mega_data_factory.observe.driver.run import observe

        return observe(*args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by name, as cloudpickle does with any module: with a function that calls `mdf.observe.reject`."""
        return importlib.import_module, (self.__name__,)


sys.modules[__name__].__class__ = _CallableModule
