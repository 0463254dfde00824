"""Bound on the number of series: names that are admitted stay, later ones are counted together.

Admission is for good, so that a counter never falls: a "top ten" would move a series in and out.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field

from mega_data_factory.framework.metrics.models import OperatorMetrics
from mega_data_factory.framework.metrics.nodes import NodeMetrics

OTHER = "other"
"""The label of everything that was not admitted."""

_LONGEST_LABEL = 100
"""Characters of a label's value; longer ones end in a hash of the whole."""


@dataclass
class Admission:
    """Admits the first `limit` keys it sees.

    Attributes:
        limit: how many.
    """

    limit: int
    _keys: set[Hashable] = field(default_factory=set)

    def __call__(self, key: Hashable) -> bool:
        """Return whether `key` is one of them."""
        if key not in self._keys and len(self._keys) < self.limit:
            self._keys.add(key)
        return key in self._keys


class Bounds:
    """The bounds of one exporter, over the life of its process.

    Args:
        operators: operator instances with series of their own; further ones share `stage="other", operator="other"`.
        workers: where series are split by worker, rows of operator and worker; further ones share a worker `other`.
        reasons: of rejection, for each operator; further ones share `reason="other"`.
        nodes: nodes with series of their own; further ones have none, but are counted by status.
    """

    def __init__(self, operators: int = 100, workers: int = 1000, reasons: int = 10, nodes: int = 500) -> None:
        self._operators = Admission(operators)
        self._workers = Admission(workers)
        self._reasons: defaultdict[Hashable, Admission] = defaultdict(lambda: Admission(reasons))
        self._nodes = Admission(nodes)
        self._node_names: dict[str, str] = {}

    def operators(self, rows: Iterable[OperatorMetrics], *, by_worker: bool) -> list[OperatorMetrics]:
        """Return the rows, those that are not admitted merged into rows named `other`.

        Args:
            rows: of operators and workers, or of operators.
            by_worker: whether a row's worker tells it from others.
        """
        bounded: dict[tuple[str, str, str], OperatorMetrics] = {}
        for row in rows:
            stage, operator, worker = row.stage_name, row.operator_name, row.worker_id
            if not self._operators((stage, operator)):
                stage, operator = OTHER, OTHER
            if by_worker and not self._workers((stage, operator, worker)):
                worker = OTHER
            key = stage, operator, worker
            bounded[key] = _joined(bounded.get(key), row, key)
        return list(bounded.values())

    def reasons(self, row: OperatorMetrics) -> Mapping[str, int]:
        """Return rejects by reason, admitted reasons in order of arrival; their sum is all rejects."""
        admission = self._reasons[row.stage_name, row.operator_name]
        counts: dict[str, int] = {}
        by_count = sorted(row.rejected_reasons.items(), key=lambda item: (-item[1], item[0]))
        for reason, count in by_count:
            name = reason if admission(reason) else OTHER
            counts[name] = counts.get(name, 0) + count
        unexplained = row.rejected_records - sum(counts.values())
        if unexplained > 0:
            counts[OTHER] = counts.get(OTHER, 0) + unexplained
        return counts

    def node(self, row: NodeMetrics) -> str | None:
        """Return the label of the node; None if it is not admitted.

        The name of the machine, for Ray gives its nodes new ids in every cluster, and each would be a new series for
        ever; a second node of the machine has its id behind it.
        """
        if not self._nodes(row.node_id):
            return None
        if row.node_id not in self._node_names:
            name = row.hostname or row.node_id
            taken = name in self._node_names.values()
            self._node_names[row.node_id] = f"{name}/{row.node_id}" if taken else name
        return self._node_names[row.node_id]


def _joined(rest: OperatorMetrics | None, row: OperatorMetrics, key: tuple[str, str, str]) -> OperatorMetrics:
    """Return `row` under the name `key`, added to what is there already; snapshots stay as they are."""
    if rest is None and key == row.key[1:]:
        return row
    joined = (rest or row).copy()
    joined.stage_name, joined.operator_name, joined.worker_id = key
    if rest is not None:
        joined.include(row)
    return joined


def label(text: str | None) -> str:
    """Return the text as a label's value: not longer than 108 characters, and still distinct."""
    text = text or ""
    if len(text) <= _LONGEST_LABEL:
        return text
    return f"{text[: _LONGEST_LABEL - 1]}~{hashlib.sha256(text.encode()).hexdigest()[:8]}"
