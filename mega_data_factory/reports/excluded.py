"""Examples of records that raised, were rejected or were kept, read from the files of the run.

Paths are those of the configuration of the run. Relative ones start in the directory where the run was started, so the
files may be missing elsewhere; then the report says where they would be. Only the first files, lines and characters are
read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from mega_data_factory import storage
from mega_data_factory.analytics.runs.record_files import files_of_run, files_set_aside
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.runs.rejects import noted_paths
from mega_data_factory.errors import MdfError
from mega_data_factory.redaction import without_credentials

MOST_FILES = 40
MOST_LINES = 4000
MOST_LETTERS = 600
MOST_KINDS = 12
MOST_BYTES = 16 << 20


@dataclass(frozen=True)
class Example:
    """One record that left, or one that was kept.

    Attributes:
        kind: `rejected`, `error`, `dead_letter` or `kept`.
        record_id: its name.
        place: stage and operator.
        reason: why it left; the message of an error.
        score, threshold: what decided, where a number did.
        content: the record as text, shortened.
        more: how many others of the same place and reason were found.
    """

    kind: str
    record_id: str
    place: str
    reason: str
    score: float | None = None
    threshold: float | None = None
    content: str = ""
    more: int = 0


@dataclass(frozen=True)
class Examples:
    """Examples of one kind.

    Attributes:
        found: the examples.
        where: the folder or file they are in, in the words of the configuration; None if there is none.
        problem: why there is nothing to show; None if there is, or where nothing was to be expected.
    """

    found: tuple[Example, ...] = ()
    where: str | None = None
    problem: str | None = None


@dataclass(frozen=True)
class SampleSources:
    """Where samples of records are, and how many of them to show.

    Attributes:
        rejected: Folder of the samples of rejected records, or their file; None for that of the run's configuration.
        output: Folder of the output; likewise.
        most_rejected: Rejected records to show of every operator and reason.
        most_kept: Records of the output to show.
    """

    rejected: str | None = None
    output: str | None = None
    most_rejected: int = 2
    most_kept: int = 5


def errors(recording: Recording, place: str | None = None) -> Examples:
    """Return records that raised or killed their worker: one for each place and message, the most frequent first.

    Args:
        recording: The run.
        place: `stage / operator` to look at; None for all.
    """
    executor = recording.config.get("executor") or {}
    output = _output_path(recording)
    folders = [
        executor.get("errors_path") or (storage.join(output, "_errors") if output else None),
        executor.get("dead_letter_path") or (storage.join(output, "_dead_letter") if output else None),
    ]
    if recording.is_observed:
        folders = [noted_paths(recording.run).get("errors")]
    groups: dict[tuple[str, str, str], list[Example]] = {}
    problem = None
    for folder in folders:
        try:
            for line in _lines(files_set_aside(folder, recording.run_id)) if folder else ():
                example = _example(line, with_content=False)
                if place is not None and example.place != place:
                    continue
                groups.setdefault((example.kind, example.place, example.reason), []).append(example)
        except (MdfError, OSError, ValueError) as error:
            problem = _unreadable(folder, error)
    largest = sorted(groups.values(), key=len, reverse=True)[:MOST_KINDS]
    found = tuple(Example(**{**vars(group[0]), "more": len(group) - 1}) for group in largest)
    if not found and problem is None:
        problem = f"no error files of this run in {' or '.join(str(f) for f in folders if f) or 'its output'}"
    return Examples(found, folders[0], None if found else problem)


def rejected(recording: Recording, sources: SampleSources = SampleSources()) -> Examples:
    """Return samples of rejected records that the run kept."""
    settings = (recording.config.get("executor") or {}).get("rejected_samples") or {}
    folder = sources.rejected or settings.get("output_path") or "./rejected"
    if sources.rejected is None and recording.is_observed:
        folder = noted_paths(recording.run).get("rejected_samples")
        if not folder or not storage.exists(storage.join(folder, f"{recording.run_id}.jsonl")):
            return Examples(problem="none were kept; steps keep those that they reject by `reject`, or as a filter")
    elif sources.rejected is None and not settings.get("enabled"):
        return Examples(problem="none were kept; set `executor.rejected_samples.enabled` to keep some of every reason")
    path = folder if folder.endswith(".jsonl") else storage.join(folder, f"{recording.run_id}.jsonl")
    groups: dict[tuple[str, str], list[Example]] = {}
    try:
        for line in _file_lines(path):
            example = _example(line, with_content=True)
            groups.setdefault((example.place, example.reason), []).append(example)
    except (MdfError, OSError, ValueError) as error:
        return Examples(where=path, problem=_unreadable(path, error))
    return Examples(tuple(example for group in groups.values() for example in group[: sources.most_rejected]), path)


def kept(recording: Recording, sources: SampleSources = SampleSources()) -> Examples:
    """Return the first records of the output."""
    output = sources.output or _output_path(recording)
    if sources.output is None and recording.is_observed:
        return Examples(problem="another engine wrote the output")
    if output is None or not (sources.output or recording.run.get("output_files")):
        return Examples(problem="the run wrote no output")
    try:
        files = [path for path in files_of_run(output, recording.run_id) if not path.endswith(".json")]
        rows = _first_rows(files[0], sources.most_kept) if files else []
    except (MdfError, OSError, ValueError, pa.ArrowException) as error:
        return Examples(where=output, problem=_unreadable(output, error))
    if not rows:
        return Examples(where=output, problem=f"no files of this run were found in {output}")
    made = [Example("kept", str(row.get("record_id", "")), "", "", content=_shown(row)) for row in rows]
    return Examples(tuple(made), output)


def _unreadable(where: object, error: Exception) -> str:
    return without_credentials(f"{where} cannot be read: {error}")


def _output_path(recording: Recording) -> str | None:
    path = ((recording.config.get("data_writer") or {}).get("params") or {}).get("output_path")
    return path if isinstance(path, str) else None


def _first_rows(path: str, most: int) -> list[dict[str, Any]]:
    if path.endswith(".parquet"):
        with storage.open_parquet(path) as file:
            for batch in file.iter_batches(batch_size=most, use_threads=False):
                rows: list[dict[str, Any]] = batch.to_pylist()
                return rows
        return []
    return [dict(line) for line, _ in zip(_file_lines(path), range(most), strict=False)]


def _lines(files: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """Yield the JSON objects of the first files, up to `MOST_LINES`."""
    left = MOST_LINES
    for path in files[:MOST_FILES]:
        for line in _file_lines(path):
            yield line
            left -= 1
            if not left:
                return


def _file_lines(path: str) -> Iterator[Mapping[str, Any]]:
    """Yield the JSON objects of a file of lines, up to `MOST_BYTES`, without a last line that is cut off."""
    with storage.open_input(path) as source:
        text = source.read(MOST_BYTES)
    for line in text.splitlines()[:MOST_LINES]:
        value = json.loads(line) if line.startswith(b"{") and line.endswith(b"}") else None
        if isinstance(value, Mapping):
            yield value


def _example(line: Mapping[str, Any], *, with_content: bool) -> Example:
    place = " / ".join(str(line[key]) for key in ("stage", "operator") if line.get(key))
    record = line.get("record")
    return Example(
        kind=str(line.get("kind", "")),
        record_id=_shortened(str(line.get("record_id", "")), 120),
        place=place,
        reason=_shortened(without_credentials(str(line.get("reason", ""))), 300),
        score=_number(line.get("score")),
        threshold=_number(line.get("threshold")),
        content=_shown(record) if with_content else "",
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def content_as_text(content: str) -> str:
    """Return a record that is kept as JSON as text: its text first, then what else it has, shortened."""
    try:
        return _shown(json.loads(content))
    except ValueError:
        return _shown(content)


def _shown(record: object) -> str:
    """Return a record as text: its text first, then what else it has."""
    if not isinstance(record, Mapping):
        return _shortened(str(record or ""), MOST_LETTERS)
    text = record.get("text")
    rest = {key: value for key, value in record.items() if key not in ("text", "record_id")}
    parts = [_shortened(text, MOST_LETTERS)] if isinstance(text, str) else []
    if rest:
        parts.append(_shortened(json.dumps(rest, ensure_ascii=False, default=str), MOST_LETTERS // 2))
    return "\n\n".join(parts)


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text):,} letters)"
