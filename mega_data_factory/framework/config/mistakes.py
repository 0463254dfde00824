"""Mistakes of a configuration: where each is, and one error for all of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
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
    """Gathers errors, so that one tells of all.

    Args:
        found: The first errors.
    """

    def __init__(self, found: Iterable[MdfError] = ()) -> None:
        self._found = list(found)

    def __bool__(self) -> bool:
        return bool(self._found)

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Keep an error that the block raises, and continue after the block."""
        try:
            yield
        except MdfError as error:
            self._found.append(error)

    def add(self, *errors: MdfError) -> None:
        """Keep errors."""
        self._found += errors

    def errors(self) -> list[MdfError]:
        """Return the errors in the order in which they were found."""
        return list(self._found)

    def lines(self) -> list[str]:
        """Return the lines of all errors, hints at their ends, in the order of the lines of the file."""
        numbered = [pair for error in self._found for pair in _numbered(error)]
        return [text for _, text in sorted(numbered, key=lambda pair: pair[0])]

    def raise_all(self, kind: type[MdfError] = ConfigError) -> None:
        """Raise the error if there is one; if there are several, one that has a line for each.

        Raises:
            MdfError: of the class that all have, else of `kind`.
        """
        if len(self._found) == 1:
            raise self._found[0]
        if self._found:
            kinds = {type(error) for error in self._found}
            raise (kinds.pop() if len(kinds) == 1 else kind)("\n".join(self.lines()))


def _numbered(error: MdfError) -> Iterator[tuple[int, str]]:
    """Yield the lines of an error, each with the line of the file that it is about; 0 if it names none."""
    number = 0
    for text in (error.message if error.hint is None else f"{error.message}; {error.hint}").splitlines():
        if named := re.match(r".*?:(\d+): ", text):
            number = int(named[1])
        yield number, text
