"""Findings for the end of `mdf run` and `mdf runs show`, without what is shown there already."""

from __future__ import annotations

from mega_data_factory.analytics.findings import Finding, find
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.errors import MdfError
from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.framework.metrics.levels import Levels
from mega_data_factory.redaction.loggers import logger

_log = logger("mega_data_factory")

_TOLD = frozenset({"books", "ending"})
"""Findings that the summary of a run tells in its own words."""

_MOST = 3


def advice(reader: MetricsReader, run: str | Levels) -> tuple[Finding, ...]:
    """Return the most pressing findings of a run by itself; what is unusual for its pipeline is left to its report.

    The run is what it is, whether it can be thought about or not: a failure is logged, and nothing stands out.

    Args:
        reader: the metrics.
        run: its id, or what was read of it.
    """
    try:
        levels = reader.levels(run) if isinstance(run, str) else run
        found = find(Recording.of_levels(reader, levels))
    except Exception as error:  # noqa: BLE001 - nothing that goes wrong here may fail a run that went well
        reason = error.message if isinstance(error, MdfError) else f"{type(error).__name__}: {error}"
        _log.warning("the findings of the run are not available: %s", reason)
        return ()
    return tuple([finding for finding in found if finding.severity != "good" and finding.kind not in _TOLD][:_MOST])
