"""`mdf metrics compact` and `mdf metrics prune`: keep the metrics folder small."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from rich.markup import escape
from rich.text import Text

from mega_data_factory.analytics.runs.rejects import rejects_folder
from mega_data_factory.cli.ages import parse_age
from mega_data_factory.cli.display.console import stdout
from mega_data_factory.cli.failures import SUCCESS, UsageError, print_json
from mega_data_factory.cli.metrics_folder import open_store
from mega_data_factory.formats import parse_size, plural, size
from mega_data_factory.framework.config.pipeline import PipelineConfig
from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.framework.metrics.upkeep.compaction import compact
from mega_data_factory.framework.metrics.upkeep.retention import Retention, prune
from mega_data_factory.rejects import remove_rejects

_SUCH_AS = "such as --max-age 90d, --max-runs 500, --max-bytes 2GB, or --config FILE; --dry-run to look first"

MOST_NAMED = 20
"""Runs that are named on the screen; --json names all."""


def compact_store(metrics: str, min_age: str, *, dry_run: bool, as_json: bool) -> int:
    """Fold the small files of runs that are over into larger ones.

    JSON: `{metrics, dry_run, runs, units, files_removed}`.

    Args:
        metrics: the metrics folder.
        min_age: leave runs alone that were active since.
        dry_run: change nothing.
        as_json: print JSON instead of a line.

    Raises:
        UsageError: `min_age` is not an age.
        MdfError: as `compact`.
    """
    age = parse_age("--min-age", min_age)
    open_store(metrics)
    done = compact(metrics, min_age=age, dry_run=dry_run)
    if as_json:
        print_json({"metrics": metrics, "dry_run": dry_run, **asdict(done)})
    elif not done.units:
        stdout().print(f"nothing to do: no run that has been over for {min_age} has files of its own")
    else:
        did = "would fold" if dry_run else "folded"
        removed = "" if dry_run else f"; {plural(done.files_removed, 'file')} removed"
        units = f"{plural(done.units, 'larger file')} per table"
        stdout().print(f"{did} the files of {plural(done.runs, 'run')} into {units}{removed}")
    return SUCCESS


def limits(max_age: str | None, max_runs: int | None, max_bytes: str | None) -> Retention:
    """Return the limits from the options of the command line.

    Raises:
        UsageError: one is not an age or a size.
    """
    try:
        most = None if max_bytes is None else parse_size(max_bytes)
    except ValueError as error:
        raise UsageError(f"--max-bytes: {error}") from None
    return Retention(None if max_age is None else parse_age("--max-age", max_age), max_runs, most)


def from_config(path: Path, keep: Retention) -> tuple[str, Retention]:
    """Return the metrics folder of a pipeline, and what to keep there.

    Args:
        path: the pipeline.
        keep: limits of the command line; each counts in place of the one in `executor.metrics.retention`.

    Raises:
        ConfigError: the file is no pipeline.
        UsageError: neither it nor the command line has a limit.
    """
    metrics = PipelineConfig.from_yaml(path).executor.metrics
    theirs = metrics.retention.limits()
    given = {name: value for name, value in asdict(keep).items() if value is not None}
    both = replace(theirs, **given)
    if not both.limits:
        raise UsageError(f"{path} sets no executor.metrics.retention, so everything stays", hint=_SUCH_AS)
    return metrics.output_path, both


def prune_store(metrics: str, keep: Retention, *, rejects: bool = False, dry_run: bool, as_json: bool) -> int:
    """Remove the metrics of the runs that the limits leave no room for.

    JSON: `{metrics, dry_run, runs: [id, the newest first], bytes, kept}`, and with `rejects` also `rejects`, the
    folders of the ledgers that are removed.

    Args:
        metrics: the metrics folder.
        keep: the limits.
        rejects: remove the ledgers of rejected records of these runs, too.
        dry_run: remove nothing.
        as_json: print JSON instead of lines.

    Raises:
        UsageError: there is no limit.
        MdfError: as `prune`.
    """
    if not keep.limits:
        raise UsageError("no limit was given, so everything stays", hint=_SUCH_AS)
    reader = open_store(metrics)
    ledgers = _ledgers(reader) if rejects else {}
    done = prune(metrics, keep, dry_run=dry_run)
    folders = [ledgers[run_id] for run_id in done.runs if run_id in ledgers]
    for folder in folders if not dry_run else ():
        remove_rejects(folder)
    if as_json:
        more = {"rejects": folders} if rejects else {}
        print_json({"metrics": metrics, "dry_run": dry_run, **asdict(done), **more})
        return SUCCESS
    console = stdout()
    for run_id in done.runs[:MOST_NAMED]:
        console.print(f"  {escape(run_id)}")
    if len(done.runs) > MOST_NAMED:
        console.print(f"  and {plural(len(done.runs) - MOST_NAMED, 'older run')}")
    did = "would remove" if dry_run else "removed"
    console.print(f"{did} {plural(len(done.runs), 'run')}, {size(done.bytes)}; {plural(done.kept, 'run')} left")
    for folder in folders:
        console.print(Text(f"{did} {folder}"), soft_wrap=True)
    return SUCCESS


def _ledgers(reader: MetricsReader) -> dict[str, str]:
    """Return the folder of the ledger of each run that has one."""
    runs = reader.runs().select(["run_id", "paths"]).to_pylist()
    return {row["run_id"]: folder for row in runs if (folder := rejects_folder(row)) is not None}
