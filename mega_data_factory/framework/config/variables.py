"""Environment variables in a configuration, filled in."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from mega_data_factory.errors import ConfigError
from mega_data_factory.framework.config import yaml_parsing
from mega_data_factory.framework.config.mistakes import Key, dotted
from mega_data_factory.framework.config.source import ConfigSource

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")


@dataclass
class FilledIn:
    """Values with `${NAME}` and `${NAME:-default}` filled in from the environment.

    A value that is nothing but a variable is read as YAML, so that numbers stay numbers; a text that is not YAML (a
    password may begin with `@`) stays a text.

    Attributes:
        values: the mapping; None in place of a value that is not known.
        unknown: key of every value that is not known, and why: its variable is not set and has no default, or it is a
            text that no file can hold.
    """

    values: dict[str, Any]
    unknown: dict[Key, ConfigError] = field(default_factory=dict)

    @classmethod
    def from_source(cls, source: ConfigSource) -> FilledIn:
        """Fill in the values of a source.

        Raises:
            ConfigError: values are nested too deeply.
        """
        filled = cls({})
        filled.values = filled._expand(source.values, (), source)
        return filled

    def _expand(self, value: Any, key: Key, source: ConfigSource) -> Any:
        if len(key) > yaml_parsing.MOST_LEVELS:
            raise ConfigError(
                f"{source.where(key)}{dotted(key[:3])}: nested deeper than {yaml_parsing.MOST_LEVELS} levels"
            )
        if isinstance(value, dict):
            return {k: self._expand(v, (*key, k), source) for k, v in value.items()}
        if isinstance(value, list):
            return [self._expand(v, (*key, i), source) for i, v in enumerate(value)]
        if not isinstance(value, str):
            return value
        try:
            return _filled_in(value, f"{source.where(key)}{dotted(key)}")
        except ConfigError as error:
            self.unknown[key] = error
            return None

    def is_unknown(self, key: Key) -> bool:
        """Return whether a value, or one that it is part of, is not known."""
        return any(key[:length] in self.unknown for length in range(1, len(key) + 1))

    def unknown_below(self, key: Key) -> set[str]:
        """Return the names of the values of a mapping that are not known, or not in part."""
        return {str(each[len(key)]) for each in self.unknown if each[: len(key)] == key and len(each) > len(key)}


def _filled_in(text: str, at: str) -> Any:
    if "${" not in text:
        return _checked(text, at)
    filled = _checked(_VARIABLE.sub(lambda match: _variable(match, at), text), at)
    return _as_yaml(filled) if _VARIABLE.fullmatch(text) else filled


def _variable(match: re.Match[str], at: str) -> str:
    found = os.environ.get(match["name"], match["default"])
    if found is None:
        raise ConfigError(
            f"{at}: the environment variable {match['name']} is not set",
            hint=f"set it, or give a default: ${{{match['name']}:-value}}",
        )
    return found


def _checked(text: str, at: str) -> str:
    """Refuse a text that no file can hold: half of a surrogate pair has no place in UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"{at}: character {error.start + 1} is half of a surrogate pair (U+{ord(text[error.start]):04X}), which "
            "UTF-8 cannot hold",
            hint="write the character itself, in UTF-8",
        ) from None
    return text


def _as_yaml(text: str) -> Any:
    try:
        return yaml_parsing.parse(text)[0]
    except (yaml.YAMLError, RecursionError):
        return text
