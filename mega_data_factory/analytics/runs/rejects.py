"""Rejected records of a run, from its ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from mega_data_factory import storage
from mega_data_factory.errors import MetricsQueryError
from mega_data_factory.framework.commit.earlier_output import PENDING
from mega_data_factory.framework.commit.log import COMMITS
from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.rejects import RejectFilter, RejectLedger
from mega_data_factory.storage import Location


def read_rejects(
    metrics: Location, run: str = "latest", only: RejectFilter | None = None, *, limit: int | None = None
) -> pa.Table:
    """Return rejected records of a run that kept all of them, one row each; columns: `rejects.SCHEMA`.

    For more rows than fit in memory take `open_rejects`, which yields them in batches.

    Args:
        metrics: the metrics folder.
        run: id, unique beginning of one, or `latest`.
        only: which rows; all by default.
        limit: rows to return at most; all by default.

    Raises:
        MetricsError: there is no such run, or several, or it kept no ledger.
        InputError: the ledger cannot be read.
    """
    return open_rejects(MetricsReader(metrics).run(run)).read(only, limit=limit)


def open_rejects(run: Mapping[str, Any]) -> RejectLedger:
    """Return the reject ledger of a run.

    Args:
        run: row of the run.

    Raises:
        MetricsQueryError: the run kept none, or its files are missing.
        InputError: its folder cannot be read.
    """
    ledger = find_rejects(run)
    if ledger is None:
        raise MetricsQueryError(
            f"{run['run_id']} kept no ledger of its rejected records",
            hint=f"before a run: {how_to_keep(run)}",
        )
    if is_missing(ledger, run):
        raise MetricsQueryError(
            f"the rejected records of {run['run_id']} are missing: {rejects_folder(run)} holds no file of them",
            hint="where the folder was moved, --config FILE finds them by a configuration that names the new one",
        )
    return ledger


def how_to_keep(run: Mapping[str, Any]) -> str:
    """Return what makes a run like this one keep a ledger.

    Args:
        run: row of the run.
    """
    config = run.get("config")
    config = json.loads(config) if isinstance(config, str) else config
    if config and "observed" in config:
        return 'mdf.observe(…, rejects="all")'
    return "executor.rejected_samples.keep: all (--set executor.rejected_samples.keep=all)"


def is_missing(ledger: RejectLedger, run: Mapping[str, Any]) -> bool:
    """Return whether the files of a ledger were moved or removed: the run has rejected records, and there is no file.

    Args:
        ledger: of the run.
        run: row of the run.
    """
    return not ledger.files and bool(run.get("rejected_records"))


def find_rejects(run: Mapping[str, Any]) -> RejectLedger | None:
    """Return the reject ledger of a run; None if it kept none.

    Args:
        run: row of the run.

    Raises:
        InputError: its folder cannot be read.
    """
    folder = rejects_folder(run)
    if folder is None:
        return None
    output, run_id = noted_paths(run).get("output"), str(run["run_id"])
    if output is None:
        return RejectLedger.open(folder)
    output = output.removesuffix(f"/{PENDING}/{run_id}")  # where files wait that replace others in the end
    return RejectLedger.open(folder, storage.join(output, COMMITS, run_id))


def rejects_folder(run: Mapping[str, Any]) -> str | None:
    """Return the folder of the reject ledger of a run; None if it keeps none."""
    folder = noted_paths(run).get("rejects")
    return None if folder is None else storage.join(folder, str(run["run_id"]))


def other_failed_rules(record: Mapping[str, Any]) -> list[str]:
    """Return the rules that a rejected record fails beside the one that decided.

    Args:
        record: row of the ledger, or a sample of rejected records.
    """
    return [rule for rule in record.get("failed_rules") or () if rule != record.get("reason")]


def noted_paths(run: Mapping[str, Any]) -> dict[str, str]:
    """Return the places that the row of a run names."""
    paths = run.get("paths")
    noted: dict[str, str] = (json.loads(paths) if isinstance(paths, str) else paths) or {}
    return noted
