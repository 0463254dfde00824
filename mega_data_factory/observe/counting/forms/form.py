"""Form of records: the operations that counting needs on values of one kind."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """Operations on values of one form; two forms are equal if they are one object.

    Attributes:
        name: of the form.
        count: number of records.
        cut: records `start` to `stop`, in the same form.
        join: values of this form one after the other; None if it cannot be done.
        column: a column by its name: something with a length.
        keep: the records where a mask (sequence of bool) is true, in the same form.
        digest: enters the content into a hash.
        records: the records, one by one: dicts by column, or plain values.
    """

    name: str
    count: Callable[[Any], int]
    cut: Callable[[Any, int, int], Any]
    join: Callable[[Sequence[Any]], Any]
    column: Callable[[Any, str], Any]
    keep: Callable[[Any, Sequence[bool]], Any]
    digest: Callable[[Any, Any], None]
    records: Callable[[Any], Iterable[Any]]


def digest_object(value: object, digest: Any) -> None:
    """Enter a record into a hash: equal values give equal hashes, in any process."""
    if isinstance(value, str):
        digest.update(b"s%d:" % len(value))
        digest.update(value.encode("utf-8", "surrogatepass"))
    else:
        content = io.BytesIO()
        pickler = pickle.Pickler(content, protocol=5)
        pickler.fast = True  # without memo: equal values have equal bytes, whichever of their parts are one object
        pickler.dump(value)
        digest.update(content.getbuffer())
