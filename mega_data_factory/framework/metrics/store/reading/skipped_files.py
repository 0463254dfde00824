"""Files of a metrics folder that are passed over, because they are no metrics files or are damaged."""

from __future__ import annotations

from mega_data_factory.redaction.loggers import logger

_log = logger("mega_data_factory.metrics")


class SkippedFiles:
    """Warns once of each file that is passed over."""

    def __init__(self) -> None:
        self._warned: set[str] = set()

    def note(self, path: str, error: Exception) -> None:
        """Warn of a file, unless that was done before.

        Args:
            path: the file.
            error: why it is passed over.
        """
        if path not in self._warned:
            self._warned.add(path)
            _log.warning("skipped %s, which is no metrics file: %s", path, error)
