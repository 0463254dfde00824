"""Checks of what a user hands to `observe` and `step`: where it is handed over, not where it is used."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mega_data_factory.errors import did_you_mean

if TYPE_CHECKING:
    from mega_data_factory.framework.metrics.live.exporting import Exporter
    from mega_data_factory.observe.counting.survey.sheets import SliceBy

_MOST_SLICE_COLUMNS = 8


def check_text(what: str, value: object) -> None:
    """Refuse what is not a text, or an empty one.

    Raises:
        TypeError: it is not a text.
        ValueError: it is empty.
    """
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a string, not {value!r}")
    if not value:
        raise ValueError(f"{what} must not be empty")


def check_number(what: str, value: object, *, above_zero: bool = False, whole: bool = False) -> None:
    """Refuse what is not a finite number of at least 0.

    Args:
        what: name of the argument.
        value: of the argument.
        above_zero: refuse 0 too.
        whole: refuse fractions too.

    Raises:
        TypeError: it is not a number, or not a whole one.
        ValueError: it is too small, or not finite.
    """
    if not isinstance(value, int if whole else (int, float)) or isinstance(value, bool):
        raise TypeError(f"{what} must be a {'whole ' if whole else ''}number, not {value!r}")
    if not math.isfinite(value) or value < 0 or (above_zero and not value):
        raise ValueError(f"{what} must be {'above' if above_zero else 'at least'} 0, not {value!r}")


def slice_name(entry: SliceBy) -> str:
    """Return the name of what records are sliced by: of a function its name."""
    if isinstance(entry, str):
        return entry
    name = getattr(entry, "__name__", type(entry).__name__)
    return "lambda" if name == "<lambda>" else str(name)


def check_slice_by(value: Any) -> tuple[SliceBy, ...]:
    """Return what records are sliced by as a tuple; one entry may be given alone.

    Raises:
        TypeError: an entry is neither a text nor a function.
        ValueError: an entry is empty or there twice, or there are too many.
    """
    entries = (value,) if isinstance(value, str) or callable(value) else value
    if not isinstance(entries, list | tuple):
        raise TypeError(f"slice_by must be names of columns, or functions of a record, not {value!r}")
    for entry in entries:
        if not callable(entry):
            check_text("an entry of slice_by", entry)
    names = [slice_name(entry) for entry in entries]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"slice_by has {min(twice)!r} twice")
    if len(entries) > _MOST_SLICE_COLUMNS:
        raise ValueError(f"slice_by has {len(entries)} entries; at most {_MOST_SLICE_COLUMNS} are allowed")
    return tuple(entries)


def check_rejects(value: object) -> bool:
    """Return whether all rejected records are kept.

    Raises:
        ValueError: it is neither `"all"` nor None.
    """
    if value not in (None, "all"):
        raise ValueError(f"rejects must be 'all' or None, not {value!r}")
    return value == "all"


_PRICES = ("node_hour", "cpu_hour", "gpu_hour", "memory_gb_hour")


def check_prices(prices: object, what: str = "prices") -> None:
    """Refuse prices that are not those of `executor.metrics.prices`.

    Args:
        prices: what was given.
        what: its name.

    Raises:
        TypeError: it is no mapping, or a price is not a number.
        ValueError: a key is not known, or a price is too small.
    """
    if not isinstance(prices, Mapping):
        raise TypeError(f"{what} must be a mapping such as {{'cpu_hour': 0.04}}, not {prices!r}")
    keys = (*_PRICES, "currency", "nodes") if what == "prices" else _PRICES
    for key, value in prices.items():
        if key not in keys:
            hint = did_you_mean(str(key), keys) or f"known are {', '.join(keys)}"
            raise ValueError(f"{what} has no {key!r}; {hint}")
        if key == "currency":
            check_text(f"{what}: currency", value)
        elif key == "nodes":
            if not isinstance(value, Mapping):
                raise TypeError(f"{what}: nodes must map patterns of host names to prices, not {value!r}")
            for pattern, own in value.items():
                check_prices(own, f"prices of nodes {pattern}")
        else:
            check_number(f"{what}: {key}", value)


def check_exporters(exporters: object) -> None:
    """Refuse what is not a list of exporters, each of another kind.

    Raises:
        TypeError: it is no list, or an entry is not an exporter.
        ValueError: two are of one kind.
    """
    from mega_data_factory.framework.metrics.live.exporting import Exporter

    if not isinstance(exporters, list | tuple):
        raise TypeError(f"exporters must be a list, not {exporters!r}")
    for exporter in exporters:
        if not isinstance(exporter, Exporter):
            raise TypeError(f"exporters must be instances of classes of mega_data_factory.exports, not {exporter!r}")
    names = [exporter_name(exporter) for exporter in exporters]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"there are two exporters {min(twice)}; give one of each")


def exporter_name(exporter: Exporter) -> str:
    """Return the name of an exporter in the log: that of its class."""
    return type(exporter).__name__
