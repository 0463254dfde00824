"""Rules of a gate, checked when they are read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, field_validator, model_validator

Kind = Literal[
    "books",
    "cost",
    "cpu",
    "drift",
    "error_rate",
    "null_share",
    "operator_cost",
    "pass_rate",
    "reject_share",
    "throughput",
]

_BOUND = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(%|points?)\s*")


@dataclass(frozen=True)
class Bound:
    """How far a number may move.

    Attributes:
        value: Percent of the number before, or percentage points.
        relative: Whether it is percent of the number before.
    """

    value: float
    relative: bool

    def __str__(self) -> str:
        if self.relative:
            return f"{self.value:g} %"
        return f"{self.value:g} {'point' if self.value == 1 else 'points'}"


def _bound(value: Any) -> Bound:
    match = _BOUND.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("should be a share of the number before (10 %) or percentage points (0.5 points)")
    return Bound(float(match[1]), match[2] == "%")


def _percent(value: Any) -> Any:
    """Return the number of a text such as `60 %`; other values are left to the check of numbers."""
    if isinstance(value, str) and value.strip().endswith("%"):
        return value.strip().removesuffix("%").strip()
    return value


_AnyBound = Annotated[Bound, PlainValidator(_bound)]
_Limit = Annotated[float, BeforeValidator(_percent), Field(ge=0, allow_inf_nan=False)]

_RELATIVE = frozenset({"throughput", "cpu", "operator_cost", "cost"})
_SHARES = frozenset({"error_rate", "null_share", "pass_rate", "reject_share"})
_OF_COLUMNS = frozenset({"drift", "null_share"})
_OF_OPERATORS = frozenset({"operator_cost", "reject_share"})
_MAY_NAME_OPERATORS = _OF_OPERATORS | {"pass_rate", "cost"}


class Rule(BaseModel):
    """One rule."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    rule: Kind
    """What is judged."""
    operator: str | None = None
    """Pattern (`*`, `?`) of `stage / operator` or of the operator; all where the rule is of operators."""
    reason: str | None = None
    """Pattern of reasons, of `reject_share`; all by default."""
    column: str | None = None
    """Pattern of columns of the output, of `null_share` and `drift`; all by default."""
    level: Literal["moderate", "large"] | None = None
    """Least difference that counts, of `drift`: `large` by default."""
    max_drop: _AnyBound | None = None
    """How far the number may fall below the baseline: `10 %` of it, or `0.5 points`."""
    max_rise: _AnyBound | None = None
    """How far it may rise above the baseline."""
    min: _Limit | None = None
    """Least value, whatever the baseline was: records per second, or percent."""
    max: _Limit | None = None
    """Largest value, whatever the baseline was."""
    certain: bool = True
    """Whether a drop or a rise counts only where it is beyond noise: its 95 % interval leaves out no change."""

    @property
    def bounds_change(self) -> bool:
        """Whether it bounds how far the number may move from the baseline."""
        return self.max_drop is not None or self.max_rise is not None

    @model_validator(mode="before")
    @classmethod
    def _check_units(cls, keys: Any) -> Any:
        """Refuse a share without its unit: 0.6 may be meant as 60 %."""
        kind = keys.get("rule") if isinstance(keys, dict) else None
        if isinstance(kind, str) and kind in _SHARES:
            for key in ("min", "max"):
                limit = keys.get(key)
                if isinstance(limit, int | float) and limit:
                    raise ValueError(f"{key} of the rule {kind} is a share: write {limit} %, with its unit")
        return keys

    @model_validator(mode="after")
    def _check(self) -> Rule:
        bounds = [bound for bound in (self.max_drop, self.max_rise) if bound is not None]
        limits = [limit for limit in (self.min, self.max) if limit is not None]
        if self.rule == "books":
            if bounds or limits or self.operator or self.reason:
                raise ValueError("the rule books takes no other key: the books balance or they do not")
            return self
        if self.column is not None and self.rule not in _OF_COLUMNS:
            raise ValueError(f"the rule {self.rule} is not of columns; column is for {_list(_OF_COLUMNS)}")
        if self.level is not None and self.rule != "drift":
            raise ValueError(f"level is for drift, not for {self.rule}")
        if self.rule == "drift":
            if bounds or limits or self.operator or self.reason:
                raise ValueError("the rule drift takes column and level, and no other key")
            return self
        if not bounds and not limits:
            raise ValueError(f"the rule {self.rule} needs max_drop, max_rise, min or max")
        if self.rule in _RELATIVE and any(not bound.relative for bound in bounds):
            raise ValueError(f"the rule {self.rule} is bounded in %, such as 10 %, not in points")
        if self.operator is not None and self.rule not in _MAY_NAME_OPERATORS:
            raise ValueError(f"the rule {self.rule} is of the whole run; operator is for {_list(_MAY_NAME_OPERATORS)}")
        if self.reason is not None and self.rule != "reject_share":
            raise ValueError(f"reason is for reject_share, not for {self.rule}")
        if self.rule in _SHARES and any(limit > 100 for limit in limits):
            raise ValueError(f"the rule {self.rule} is a share: min and max are 0 % to 100 %")
        if self.rule == "operator_cost" and limits:
            raise ValueError("the rule operator_cost is bounded by max_rise or max_drop")
        return self


def _list(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))


class GateRules(BaseModel):
    """The rules of a gate."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    rules: tuple[Rule, ...]
    """What a run must meet; all of them are judged."""

    @field_validator("rules")
    @classmethod
    def _check_rules(cls, value: tuple[Rule, ...]) -> tuple[Rule, ...]:
        if not value:
            raise ValueError("a gate has one rule at least")
        return value
