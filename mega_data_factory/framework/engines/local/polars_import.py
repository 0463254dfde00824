"""Import of polars that starts no thread, so that the process can be forked.

polars starts a thread in a function of its runtime that it calls when it is imported. The call is put off here until
the process will not be forked any more: its modules are imported once, and their memory is shared by all forks.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

from mega_data_factory.environment import environment

_RUNTIMES = ("_polars_runtime_32", "_polars_runtime_64", "_polars_runtime_compat")
_START = "__register_startup_deps"
_ALLOCATOR = "_RJEM_MALLOC_CONF"
_put_off: list[Callable[[], object]] = []


def import_polars() -> None:
    """Import polars, and put off the call that starts its thread.

    Where polars is not built as expected here, it is not imported: whatever needs it imports it as usual.
    """
    installed = [name for name in _RUNTIMES if find_spec(name)]
    if "polars" in sys.modules or len(installed) != 1:
        return
    given = os.environ.get(_ALLOCATOR)
    allocator = ",".join([*([given] if given else []), "background_thread:false"])
    with environment(**{_ALLOCATOR: allocator}), contextlib.suppress(ImportError):
        runtime = importlib.import_module(f"{installed[0]}._polars_runtime")
        start = getattr(runtime, _START, None)
        if start is None:
            return
        setattr(runtime, _START, lambda *arguments: _put_off.append(partial(start, *arguments)))
        try:
            importlib.import_module("polars")
        finally:
            setattr(runtime, _START, start)


def start_polars() -> None:
    """Make the call that `import_polars` has put off, if any: polars may be used then."""
    while _put_off:
        _put_off.pop()()
