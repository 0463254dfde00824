"""Instructions of the built-in operators for a kilobyte of text, beside the table of the last renewal.

The text is made up, the same on every machine, and so is the count: cachegrind shows programs a processor without
AVX-512, whatever the machine has, so that libraries which choose their code by processor choose the same. It holds for
the locked versions of Python packages. A change that makes an operator slower shows here when seconds hide it.

    python benchmarks/operator_instructions.py            # count, and compare with the table
    python benchmarks/operator_instructions.py --renew    # write the table
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from counted_pipeline import sentences, text
from instructions import count, freeze_heap, in_child

TABLE = Path(__file__).with_suffix(".json")

MOST_SLOWER = 0.05
"""Share by which an operator may need more instructions than the table says."""

OPERATORS: dict[str, dict[str, Any]] = {
    "text_length_filter": {"min_length": 200},
    "text_statistics_refiner": {},
    "unicode_repair_refiner": {},
    "gopher_quality_filter": {},
    "gopher_repetition_filter": {},
    "c4_quality_filter": {},
    "fineweb_quality_filter": {},
    "exact_deduplicator": {},
    "minhash_deduplicator": {},
}
"""Operators that need no model and no network, with their parameters."""

_TEXTS = 40


def _program() -> None:
    import pyarrow as pa

    from mega_data_factory.framework.contracts import Deduplicator, Filter, OperatorContext, Refiner
    from mega_data_factory.framework.registry import find
    from mega_data_factory.testing import MemoryClaims

    pa.set_cpu_count(1)
    known = sentences()
    texts = [text(seed, 48, known) for seed in range(_TEXTS)]
    table = pa.table({"record_id": [f"r{row}" for row in range(_TEXTS)], "text": texts})
    calls: dict[str, Callable[[Any], Any]] = {}
    for name, parameters in OPERATORS.items():
        operator = find("operator", name).load()(**parameters)
        operator.setup(OperatorContext("stage", name, "worker", MemoryClaims(), None))
        if isinstance(operator, Deduplicator):
            calls[name] = operator.keys
        elif isinstance(operator, Filter):
            calls[name] = operator.judge
        elif isinstance(operator, Refiner):
            calls[name] = operator.refine
        calls[name](table.slice(0, 5))  # what happens once
    freeze_heap()
    for name, call in calls.items():
        in_child(name, partial(call, table))


def instructions() -> dict[str, float]:
    """Return the instructions of every operator for a kilobyte (1,000 bytes) of text."""
    known = sentences()
    size = sum(len(text(seed, 48, known).encode()) for seed in range(_TEXTS))
    return {name: round(number / size * 1000) for name, number in count(Path(__file__), "--program")}


def slower(found: dict[str, float], table: dict[str, float]) -> dict[str, float]:
    """Return the operators that need more instructions than the table allows, with found / table - 1.

    Args:
        found: Operator → instructions for a kilobyte.
        table: The same of the last renewal; an operator that is not in it counts as slower.
    """
    more = {name: number / table.get(name, 1) - 1 for name, number in found.items()}
    return {name: share for name, share in more.items() if share > MOST_SLOWER}


def main() -> None:
    """Count; compare with the table or write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--renew", action="store_true", help="write the table")
    parser.add_argument("--json", action="store_true", help="print what was counted as JSON")
    parser.add_argument("--program", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.program:
        _program()
        return
    found = instructions()
    if arguments.renew:
        TABLE.write_text(json.dumps(found, indent=2) + "\n")
        return
    if arguments.json:
        print(json.dumps(found))
        return
    table = json.loads(TABLE.read_text())
    for name, number in found.items():
        print(f"{name:28} {number:12,.0f} a kB  {number / table[name] - 1 if name in table else 0:+.2%}")
    if slow := slower(found, table):
        sys.exit(f"slower by more than {MOST_SLOWER:.0%}: {', '.join(slow)}")


if __name__ == "__main__":
    main()
