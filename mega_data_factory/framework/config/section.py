"""Base of the sections of a configuration: frozen, without unknown keys, documented by docstrings."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1)]
TimeLimit = Annotated[float, Field(ge=0, le=86_400)]


class Section(BaseModel):
    """A section of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def as_mappings(value: Any) -> Any:
    """Return a value in which each section that was made in Python is the mapping that a file would have for it."""
    if isinstance(value, Section):
        return value.model_dump(exclude_unset=True)
    if isinstance(value, dict):
        return {key: as_mappings(item) for key, item in value.items()}
    return [as_mappings(item) for item in value] if isinstance(value, list) else value
