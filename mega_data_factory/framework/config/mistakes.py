"""Mistakes of a configuration: where each is, and one error for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mega_data_factory.errors import ConfigError, MdfError

if TYPE_CHECKING:  # a worker resolves names, and need not pay for YAML
    from mega_data_factory.framework.config.source import ConfigSource

Key = tuple[str | int, ...]


def dotted(key: Key) -> str:
    """Return a key as people write it: `stages[0].operators[1].name`."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


@dataclass(frozen=True)
class Place:
    """A key of a configuration; as text it has file and line where these are known: `p.yaml:7: stages[0].name`.

    Attributes:
        key: the key.
        source: the configuration as it was written; None if there is none.
    """

    key: Key
    source: ConfigSource | None = None

    def below(self, *parts: str | int) -> Place:
        """Return the place of a key below this one."""
        return Place((*self.key, *parts), self.source)

    def nearest(self, *parts: str | int) -> Place:
        """Return the place of a key below this one where it is written out, else this one."""
        below = self.below(*parts)
        return below if self.source is not None and self.source.has(below.key) else self

    def __str__(self) -> str:
        return f"{self.source.where(self.key) if self.source else ''}{dotted(self.key)}"


class Mistakes:
    """Gathers errors, so that one tells of all."""

    def __init__(self) -> None:
        self._found: list[MdfError] = []

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Keep an error that the block raises, and continue after the block."""
        try:
            yield
        except MdfError as error:
            self._found.append(error)

    def add(self, error: MdfError) -> None:
        """Keep an error."""
        self._found.append(error)

    def lines(self) -> list[str]:
        """Return a line for each error, its hint at the end."""
        return [error.message if error.hint is None else f"{error.message}; {error.hint}" for error in self._found]

    def raise_all(self, kind: type[MdfError] = ConfigError) -> None:
        """Raise the error where there is one; where there are several, one that has a line for each.

        Raises:
            MdfError: of the class that all have, else of `kind`.
        """
        if len(self._found) == 1:
            raise self._found[0]
        if self._found:
            kinds = {type(error) for error in self._found}
            raise (kinds.pop() if len(kinds) == 1 else kind)("\n".join(self.lines()))
