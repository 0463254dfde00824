"""Checks of the numbers that callers report: whole, finite, and with a sum that can be right."""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Mapping

_LARGEST = 2**63 - 1
"""What a column of whole numbers holds."""


def whole(name: str, value: object) -> int:
    """Return a count as an int; NumPy's integers are converted.

    Args:
        name: what is counted, for the error.
        value: the count.

    Raises:
        ValueError: it is not a whole number from 0 to 2^63 - 1; truth values are none.
    """
    if type(value) is int and 0 <= value <= _LARGEST:
        return value
    if not isinstance(value, bool):
        try:
            number = operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            pass
        else:
            if 0 <= number <= _LARGEST:
                return number
    raise ValueError(f"{name} must be a whole number from 0 to 2^63 - 1, not {value!r}")


def amount(name: str, value: object) -> float:
    """Return a quantity, such as seconds or bytes, as it is; a number of NumPy as a float.

    Args:
        name: what is measured, for the error.
        value: the quantity.

    Raises:
        ValueError: it is not a finite number of at least 0; truth values are none.
    """
    if type(value) is float or (isinstance(value, int | float | numbers.Real) and not isinstance(value, bool)):
        number = value if isinstance(value, int | float) else float(value)
        if number >= 0 and math.isfinite(number):  # False for NaN
            return number
    raise ValueError(f"{name} must be a finite number of at least 0, not {value!r}")


def rejected_by_reason(reasons: Mapping[str, int], rejected: int | None) -> tuple[Mapping[str, int], int]:
    """Return reasons with their counts, and how many records were rejected.

    Args:
        reasons: records rejected, by reason.
        rejected: how many there were in all, if given: some may have no reason.

    Raises:
        ValueError: a reason is not text, a count is not one, or there are more reasons than rejected records.
    """
    named = 0
    for reason, number in reasons.items():
        if type(reason) is not str or type(number) is not int or not 0 <= number <= _LARGEST:
            return _converted(reasons, rejected)
        named += number
    if rejected is None:
        return reasons, named
    if named > rejected:
        raise ValueError(
            f"the reasons name {named} records, more than the {rejected} that were rejected: {dict(reasons)}"
        )
    return reasons, rejected


def _converted(reasons: Mapping[str, int], rejected: int | None) -> tuple[Mapping[str, int], int]:
    counted = {}
    for reason, number in reasons.items():
        if not isinstance(reason, str):
            raise ValueError(f"a reason must be text, not {reason!r}")
        counted[str(reason)] = whole(f"reasons[{reason!r}]", number)
    return rejected_by_reason(counted, rejected)


def check_sum(input: int, output: int, rejected: int, errors: int, created: int = 0) -> None:
    """Refuse an account in which more records leave an operator than came in and were created.

    Fewer may leave: records that vanish are what the check of the books finds.

    Raises:
        ValueError: names all numbers.
    """
    if output + rejected + errors > input + created:
        raise ValueError(
            f"output {output} + rejected {rejected} + errors {errors} = {output + rejected + errors} records, "
            f"more than the input of {input}" + (f" + created {created}" if created else "")
        )
