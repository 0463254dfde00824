"""Classes of a notebook, which no worker can import: they travel to workers with their code."""

from __future__ import annotations

import base64
import functools
import importlib
import pickle
from typing import Any

from mega_data_factory import extras


def packed(cls: type[Any]) -> str:
    """Return a class with its code, and with the imports and values of its notebook that it uses.

    Args:
        cls: The class.

    Raises:
        MissingPackageError: no package that does this is installed.
        Exception: something that the class uses cannot be pickled; of any type.
    """
    if extras.installed("ray") and not extras.installed("cloudpickle"):
        pickler = importlib.import_module("ray.cloudpickle")
    else:
        extras.require("notebook", f"the class `{cls.__qualname__}` of a notebook")
        pickler = importlib.import_module("cloudpickle")
    return base64.b64encode(pickler.dumps(cls)).decode("ascii")


@functools.cache
def unpacked(code: str) -> type[Any]:
    """Return the class that `packed` was given; the same one every time."""
    found: type[Any] = pickle.loads(base64.b64decode(code))  # noqa: S301 - the driver of this run has packed it
    return found
