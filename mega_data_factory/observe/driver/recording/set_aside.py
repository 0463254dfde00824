"""Files of records that were set aside: those that raised, and a few of every reason of rejection."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from mega_data_factory.errors import MdfError
from mega_data_factory.framework.metrics.store.files.beside import set_aside_folder
from mega_data_factory.observe.counting.set_aside import SetAside
from mega_data_factory.observe.driver.definitions.defined_steps import DefinedStep
from mega_data_factory.observe.driver.settings import ObserveSettings
from mega_data_factory.redaction.loggers import logger
from mega_data_factory.storage import Location, absolute, atomic_output, is_local, join, local_path
from mega_data_factory.strict_json import finite

_log = logger("mega_data_factory.observe")

_MOST_IN_MEMORY = 100_000
"""Records that raised that are kept for an object store, to which nothing can be appended; further ones are counted."""


class SetAsideFiles:
    """Writes the records of one run that were set aside, as JSON lines.

    Records that raised are appended as they arrive where the folder is local, else written at the end. Of rejected
    records a few of every step and reason are kept, and written at the end: those with the smallest ranks.

    Args:
        settings: of the run.
        run_id: the run.
    """

    def __init__(self, settings: ObserveSettings, run_id: str) -> None:
        self._k = settings.rejected_samples
        self._run_id = run_id
        self.folders = {
            "errors": absolute(set_aside_folder(settings.metrics, "errors")),
            "rejected_samples": absolute(set_aside_folder(settings.metrics, "rejected")),
        }
        self._errors: list[bytes] = []
        self._rejected: dict[tuple[str, str], dict[float, bytes]] = {}
        self._lost = 0

    def add(self, records: Iterable[tuple[str, SetAside]], steps: Mapping[str, DefinedStep]) -> None:
        """Take records with the ids of their steps."""
        errors = []
        for step_id, record in records:
            step = steps.get(step_id)
            if step is None:  # a cell of a notebook has defined it again
                continue
            line = _line(record, step)
            if record.kind == "error":
                errors.append(line)
            else:
                kept = self._rejected.setdefault((step_id, record.reason), {})
                kept[record.rank] = line
                if len(kept) > self._k:
                    del kept[max(kept)]
        if errors:
            self._take_errors(errors)

    def _take_errors(self, lines: list[bytes]) -> None:
        folder = self.folders["errors"]
        if not is_local(folder):
            room = _MOST_IN_MEMORY - len(self._errors)
            self._errors += lines[:room]
            self._lost += max(0, len(lines) - room)
            return
        try:
            path = local_path(self._file("errors"))
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(b"".join(lines))
        except OSError as error:
            _log.warning("%d records that raised could not be written: %s", len(lines), error)

    def finish(self) -> None:
        """Write what is written at the end; a failure is logged."""
        rejected = [line for _, kept in sorted(self._rejected.items()) for _, line in sorted(kept.items())]
        for kind, lines in (("errors", self._errors), ("rejected_samples", rejected)):
            if not lines:
                continue
            try:
                with atomic_output(self._file(kind)) as file:
                    file.write(b"".join(lines))
            except MdfError as error:
                _log.warning("%s could not be written: %s", kind, error)
        if self._lost:
            _log.warning("%d records that raised were counted and not written: only the first are", self._lost)

    def _file(self, kind: str) -> Location:
        return join(self.folders[kind], f"{self._run_id}.jsonl")


def _line(record: SetAside, step: DefinedStep) -> bytes:
    values: dict[str, Any] = {
        "kind": record.kind,
        "record_id": record.record_id,
        "stage": step.stage,
        "operator": step.name,
        "reason": record.reason,
        "score": finite(record.score),
        "threshold": finite(record.threshold),
    }
    line = {name: value for name, value in values.items() if value is not None}
    line["record"] = finite(json.loads(record.content))
    text = json.dumps(line, ensure_ascii=False, allow_nan=False)
    # UTF-8 cannot hold half a surrogate pair; as `\udxxx`, what Python makes of it, JSON can.
    return text.encode("utf-8", "backslashreplace") + b"\n"
