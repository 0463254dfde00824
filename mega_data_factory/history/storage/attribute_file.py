"""File of the attributes of one node: JSON lines, one for each change."""

from __future__ import annotations

import json
from pathlib import Path

from mega_data_factory.errors import HistoryError
from mega_data_factory.history.attributes import Attributes, read_lines
from mega_data_factory.history.storage.explaining import explained

ATTRIBUTES = "_attributes.jsonl"

_SPARE = 100
"""Obsolete lines that are never worth a new file."""


class AttributeFile:
    """Attributes of one node on disk.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = 0

    def write(self, node_id: str, attributes: Attributes) -> None:
        """Write all attributes; the file is whole or absent.

        Raises:
            HistoryError: it cannot be written.
        """
        lines = [json.dumps({"node_id": node_id}), *attributes.lines()]
        temporary = self._path.with_name(f".{self._path.name}.tmp")
        with explained(self._path, "write"):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text("".join(f"{line}\n" for line in lines))
            temporary.replace(self._path)
        self._lines = len(lines)

    def add(self, node_id: str, attributes: Attributes, line: str) -> None:
        """Add the line of one change; write the whole file again when most of its lines are obsolete.

        Raises:
            HistoryError: it cannot be written.
        """
        if not 0 < self._lines < _SPARE + 2 * attributes.count:
            self.write(node_id, attributes)
            return
        with explained(self._path, "write"), self._path.open("a") as file:
            file.write(f"{line}\n")
        self._lines += 1


def read_attributes(path: Path) -> tuple[str, Attributes]:
    """Return the node of a file, and its attributes.

    Raises:
        HistoryError: the file is damaged.
    """
    try:
        first, *lines = path.read_text().splitlines()
        return str(json.loads(first)["node_id"]), read_lines(lines)
    except (ValueError, KeyError, TypeError) as error:
        raise HistoryError(f"{path} is damaged: {error}", hint="remove it: the numbers are in other files") from error
