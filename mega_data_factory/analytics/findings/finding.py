"""One thing worth saying of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Severity = Literal["critical", "warning", "advice", "good"]
"""`critical`: the result cannot be relied on; `warning`: look at it; `advice`: it could be better; `good`: checked."""

SEVERITIES: tuple[Severity, ...] = get_args(Severity)

Topic = Literal["workers", "nodes", "comparison", "errors"]
"""What a finding rests on. A view that shows it somewhere leads there; findings themselves know no view."""


@dataclass(frozen=True)
class Finding:
    """One thing worth saying of a run. Texts are plain: names in them are as users wrote them, not escaped.

    Attributes:
        severity: how pressing it is.
        kind: stable name of the finding: `bottleneck`, `books`, …
        title: a sentence that needs no context.
        detail: the reasoning, with numbers.
        evidence: the numbers by name, for machines.
        suggestion: what to do; empty if nothing is to be done.
        see: what to look at next; None if the finding says it all.
    """

    severity: Severity
    kind: str
    title: str
    detail: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    suggestion: str = ""
    see: Topic | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the same for JSON."""
        return {
            "severity": self.severity,
            "kind": self.kind,
            "title": self.title,
            "detail": self.detail,
            "evidence": dict(self.evidence),
            "suggestion": self.suggestion,
            "see": self.see,
        }
