"""The places that a run writes to, checked before it starts: each is blamed on its key."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mega_data_factory import storage
from mega_data_factory.errors import ConfigError, OutputError
from mega_data_factory.framework.config.mistakes import Key, Mistakes
from mega_data_factory.framework.plan import Plan


def check_folders(plan: Plan) -> None:
    """Check, without writing, that every place to write to is, or could be, a folder, and apart from the source.

    Raises:
        OutputError: some are not; has a line for each, with its key.
        ConfigError: the loader would read what the run writes, or its output replaces what the loader reads.
    """
    _check(plan, storage.check_folder)
    _check_apart(plan)


def check_writable(plan: Plan) -> None:
    """Check that every place can be written to; nothing of the attempt stays.

    Raises:
        OutputError: some cannot; has a line for each, with its key.
    """
    _check(plan, storage.check_writable)


def _check(plan: Plan, check: Callable[[str], None]) -> None:
    mistakes = Mistakes()
    blamed: set[Key] = set()
    for key, uri in _places(plan):
        if key in blamed:  # a folder below it cannot be better
            continue
        try:
            check(uri)
        except OutputError as error:
            blamed.add(key)
            mistakes.add(OutputError(f"{plan.config.place(*key)}: {error.message}", hint=error.hint))
    mistakes.raise_all(OutputError)


def _check_apart(plan: Plan) -> None:
    """Check that no file that the run writes would be part of its source: the next run would read it.

    Raises:
        ConfigError: some would; has a line for each key.
    """
    loader = plan.loader.build()
    mistakes = Mistakes()
    blamed: set[Key] = set()
    for key, file in _files(plan):
        if key not in blamed and loader.reads(file):
            blamed.add(key)
            folder, _, name = file.rpartition("/")
            mistakes.add(
                ConfigError(
                    f"{plan.config.place(*key)}: data_loader would read what the run writes there, such as {name} in "
                    f"{folder}",
                    hint="write to a folder outside of the source, or to one whose name begins with `_`, or change "
                    "data_loader.params.path",
                )
            )
    mistakes.raise_all()


def _files(plan: Plan) -> Iterator[tuple[Key, str]]:
    """Yield keys with made-up names of files that the run may write."""
    part = "part-000000-00000-0-0"
    names = {
        "output_path": (part + plan.writer.build().suffix, f"_errors/{part}.jsonl"),
        "errors_path": (f"{part}.jsonl",),
        "dead_letter_path": (f"{part}.jsonl",),
        "rejected_samples": ("run.jsonl", f"run/{part}.parquet"),
        "metrics": ("runs/run.parquet",),
    }
    for key, uri in dict(reversed([*_places(plan)])).items():  # of several places of a key the first
        for name in names[str(key[1] if key[-1] == "output_path" and key[0] == "executor" else key[-1])]:
            yield key, storage.join(storage.absolute(uri), name)


def _places(plan: Plan) -> Iterator[tuple[Key, str]]:
    """Yield key and place of everything that the run may write; the output comes before the folders in it."""
    executor = plan.executor
    output = ("data_writer", "params", "output_path")
    yield output, plan.writer_options.output_path
    for key, configured, default in (
        ("errors_path", executor.errors_path, "_errors"),
        ("dead_letter_path", executor.dead_letter_path, "_dead_letter"),
    ):
        if configured:
            yield ("executor", key), configured
        else:
            yield output, f"{plan.writer_options.output_path.rstrip('/')}/{default}"
    if executor.rejected_samples.enabled:
        yield ("executor", "rejected_samples", "output_path"), executor.rejected_samples.output_path
    if executor.metrics.enabled and executor.metrics.write_on_completion:
        yield ("executor", "metrics", "output_path"), executor.metrics.output_path
