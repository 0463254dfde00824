"""Account files that drivers have left behind that were killed."""

from __future__ import annotations

from mega_data_factory.clock import utc_now
from mega_data_factory.errors import MdfError
from mega_data_factory.framework.metrics.reader import MetricsReader
from mega_data_factory.framework.metrics.store.files.beside import abandoned_accounts, remove_accounts
from mega_data_factory.observe.driver.settings import ObserveSettings
from mega_data_factory.redaction.loggers import logger

_log = logger("mega_data_factory.observe")


def remove_leftovers(settings: ObserveSettings) -> None:
    """Remove the account files of earlier runs of the metrics folder that are over; a failure is logged.

    A run that the folder does not know is left alone: `accounts` may name a folder that others use too.

    Args:
        settings: of the run that starts.
    """
    try:
        abandoned = abandoned_accounts(settings.accounts_root, utc_now())
        if abandoned:
            reader = MetricsReader(settings.metrics)
            known, running = set(reader.list_runs()), set(reader.list_runs(status="running"))
            remove_accounts(settings.accounts_root, abandoned & known - running)
    except (MdfError, OSError) as error:
        _log.warning("accounts of earlier runs could not be removed: %s", error)
