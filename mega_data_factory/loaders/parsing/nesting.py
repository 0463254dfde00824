"""How deeply JSON is nested: readers that recurse overflow the stack on what is nested without end."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa

MOST_LEVELS = 60
"""Levels of nesting that a record may have: Arrow's IPC format holds 64, and its reader recurses without a limit."""

_SHORT_LINE = 1000
"""Bytes of lines that are parsed without counting their brackets."""

_PIECE_BYTES = 1 << 16
"""Brackets are counted in pieces of this size, which stay in the processor's cache."""

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)  # whole stretches at a time
_BRACKET = re.compile(rb"[\[\]{}]")


def any_is_deep(block: bytes | bytearray, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> bool:
    """Return whether a line may be nested so deeply that Arrow's reader or ours, which recurse, overflows the stack.

    A level takes two bytes, so short lines need no look, nor do lines with as few brackets; what those hold too deeply
    shows in the types. Brackets are counted in pieces of the block first: that clears most lines without a look at
    each.

    Args:
        block: Lines of JSON.
        starts: Offset of each line.
        ends: Offset behind the last byte of each line.
    """
    if (ends - starts).max(initial=0) <= _SHORT_LINE:
        return False
    up_to = np.concatenate([[0], np.cumsum(_brackets_of_pieces(block))])
    most = up_to[(ends - 1) // _PIECE_BYTES + 1] - up_to[starts // _PIECE_BYTES]
    suspects = np.flatnonzero((ends - starts > _SHORT_LINE) & (most > _SHORT_LINE // 2))
    return any(
        block.count(b"{", start, end) + block.count(b"[", start, end) > _SHORT_LINE // 2
        and levels_in(block[start:end]) > MOST_LEVELS
        for start, end in zip(starts[suspects].tolist(), ends[suspects].tolist(), strict=True)
    )


def _brackets_of_pieces(block: bytes | bytearray) -> list[int]:
    """Return the number of opening brackets in each piece of the block, in strings too."""
    data = np.frombuffer(block, np.uint8)
    space = np.empty(_PIECE_BYTES, np.uint8)
    counts = []
    for start in range(0, len(data), _PIECE_BYTES):
        piece = data[start : start + _PIECE_BYTES]
        folded = np.bitwise_and(piece, 0xDF, out=space[: len(piece)])  # `[` and `{` differ in this bit alone
        counts.append(int(np.count_nonzero(folded == ord("["))))
    return counts


def levels_of(kind: pa.DataType) -> int:
    """Return how deeply a type is nested."""
    inner = [kind.field(at).type for at in range(kind.num_fields)] if pa.types.is_nested(kind) else []
    return 1 + max(map(levels_of, inner), default=0) if inner or pa.types.is_nested(kind) else 0


def levels_in(line: bytes | bytearray) -> int:
    """Return how deeply the objects and lists of a line are nested."""
    level = deepest = 0
    for bracket in _BRACKET.findall(_STRING.sub(b"", line)):
        level += 1 if bracket in b"{[" else -1
        deepest = max(deepest, level)
    return deepest
