"""The places that a run writes to, checked before it starts: each is blamed on its key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set

from mega_data_factory import storage
from mega_data_factory.errors import ConfigError, OutputError
from mega_data_factory.framework.config.mistakes import Key, Mistakes
from mega_data_factory.framework.config.pipeline import PipelineConfig
from mega_data_factory.framework.plan import Ends, Plan, make_ends, make_plan


def checked_plan(config: PipelineConfig) -> Plan:
    """Return the plan of a configuration whose places to write to are, or could be, folders apart from the source.

    Nothing is written. Names and parameters that are wrong do not hide what is wrong with the places.

    Raises:
        ConfigError: names or parameters are wrong, or the loader would read what the run writes; has a line for each.
        OutputError: places are not folders, and nothing else is wrong.
    """
    mistakes = Mistakes()
    made = None
    with mistakes.gathered():
        made = make_plan(config)
    ends = make_ends(config, Mistakes()) if made is None else made
    if ends is not None:
        blamed = _check(ends, storage.check_folder, mistakes)
        _check_apart(ends, blamed, mistakes)
    mistakes.raise_all()
    assert made is not None, "without a mistake there is a plan"
    return made


def check_writable(plan: Plan) -> None:
    """Check that every place can be written to; nothing of the attempt stays.

    Raises:
        OutputError: some cannot; has a line for each, with its key.
    """
    mistakes = Mistakes()
    _check(plan, storage.check_writable, mistakes)
    mistakes.raise_all(OutputError)


def _check(ends: Ends, check: Callable[[str], None], mistakes: Mistakes) -> set[Key]:
    """Check every place to write to; return the keys of those that are wrong."""
    blamed: set[Key] = set()
    for key, uri in _places(ends):
        if key in blamed:  # a folder below it cannot be better
            continue
        try:
            check(uri)
        except OutputError as error:
            blamed.add(key)
            mistakes.add(OutputError(f"{ends.config.place(*key)}: {error.message}", hint=error.hint))
    return blamed


def _check_apart(ends: Ends, blamed: Set[Key], mistakes: Mistakes) -> None:
    """Find keys whose files would be part of the source of the run: the next run would read them.

    Args:
        ends: what is read and written.
        blamed: keys that are wrong already.
        mistakes: where mistakes are added.
    """
    loader = ends.loader.build()
    found: set[Key] = set()
    for key, file in _files(ends, blamed):
        if key not in found and loader.reads(file):
            found.add(key)
            folder, _, name = file.rpartition("/")
            mistakes.add(
                ConfigError(
                    f"{ends.config.place(*key)}: data_loader would read what the run writes there, such as {name} in "
                    f"{folder}",
                    hint="write to a folder outside of the source, or to one whose name begins with `_`, or change "
                    "data_loader.params.path",
                )
            )


def _files(ends: Ends, blamed: Set[Key]) -> Iterator[tuple[Key, str]]:
    """Yield keys with made-up names of files that the run may write; none of keys that are wrong already."""
    part = "part-000000-00000-0-0"
    names = {
        "output_path": (part + ends.writer.build().suffix, f"_errors/{part}.jsonl"),
        "errors_path": (f"{part}.jsonl",),
        "dead_letter_path": (f"{part}.jsonl",),
        "rejected_samples": ("run.jsonl", f"run/{part}.parquet"),
        "metrics": ("runs/run.parquet",),
    }
    for key, uri in dict(reversed([*_places(ends)])).items():  # of several places of a key the first
        if key in blamed:
            continue
        for name in names[str(key[1] if key[-1] == "output_path" and key[0] == "executor" else key[-1])]:
            yield key, storage.join(storage.absolute(uri), name)


def _places(ends: Ends) -> Iterator[tuple[Key, str]]:
    """Yield key and place of everything that the run may write; the output comes before the folders in it."""
    executor = ends.executor
    output = ("data_writer", "params", "output_path")
    yield output, ends.writer_options.output_path
    for key, configured, default in (
        ("errors_path", executor.errors_path, "_errors"),
        ("dead_letter_path", executor.dead_letter_path, "_dead_letter"),
    ):
        if configured:
            yield ("executor", key), configured
        else:
            yield output, f"{ends.writer_options.output_path.rstrip('/')}/{default}"
    if executor.rejected_samples.enabled:
        yield ("executor", "rejected_samples", "output_path"), executor.rejected_samples.output_path
    if executor.metrics.enabled and executor.metrics.write_on_completion:
        yield ("executor", "metrics", "output_path"), executor.metrics.output_path
