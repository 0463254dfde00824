"""The argument of a call that holds its records."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from mega_data_factory.observe.counting.forms import forms
from mega_data_factory.observe.steps.streams import is_stream


def records_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return what a step was given: its first argument, but for the key of a group; None if there is none.

    Args:
        args, kwargs: of the call.
    """
    if len(args) == 1:
        return args[0]
    if args:
        return args[_place(args)]
    return next(iter(kwargs.values()), None)


def with_records(
    args: tuple[Any, ...], kwargs: Mapping[str, Any], records: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a call with other records in the place of those that it was given.

    Args:
        args, kwargs: of the call.
        records: some of the records, or an iterator over them.
    """
    if not args:
        return args, {**kwargs, next(iter(kwargs)): records}
    place = _place(args)
    return (*args[:place], records, *args[place + 1 :]), dict(kwargs)


def _place(args: tuple[Any, ...]) -> int:
    """Return the position of the records: Spark gives functions of two arguments the key of a group before it."""
    if len(args) == 1 or type(args[0]) is not tuple or "pyspark" not in sys.modules:
        return 0
    records = args[1]
    return int(is_stream(records) or (forms.form_of(records) is not None and forms.is_table(records)))
