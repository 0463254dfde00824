"""Settings of an observed run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mega_data_factory.framework.metrics.store.files.beside import ACCOUNTS
from mega_data_factory.observe.driver.checking import check_exporters, check_number, check_prices, check_text
from mega_data_factory.storage import is_local, join, local_path

if TYPE_CHECKING:
    from mega_data_factory.framework.metrics.live.exporting import Exporter
    from mega_data_factory.observe.counting.survey.sheets import SliceBy


@dataclass(frozen=True)
class ObserveSettings:
    """Settings of an observed run.

    Raises:
        TypeError: a value is not of its type.
        ValueError: a name is empty, or a number is too small.

    Attributes:
        name: of the pipeline; runs of one name are compared.
        metrics: folder that the metrics are written to, local or an fsspec URI.
        flush_interval: seconds from one write to the next, and length of the intervals of samples.
        node_interval: seconds from one sample of the machine to the next; 0 takes none.
        config: what else is known of the run: it is shown with it, and compared with that of other runs.
        redact: keys of `config` and of step arguments whose values are kept out of the metrics, beside those that look
            secret.
        rejected_samples: rejected records to keep as examples, of every step and reason; 0 keeps none.
        accounts: folder for the accounts of worker processes, which all workers must reach; None for one beside the
            metrics where these are local, else one for temporary files.
        text: column whose bytes of text are counted, in steps that name no other.
        tokens: column that holds the number of tokens of each record, likewise.
        slice_by: what records are also counted by, likewise.
        rejects: whether a row of every rejected record is kept.
        prices: what an hour of a node costs; empty for none.
        exporters: send the metrics to other systems while the run lasts.
    """

    name: str
    metrics: str = "./metrics"
    flush_interval: float = 5.0
    node_interval: float = 1.0
    config: Mapping[str, Any] = field(default_factory=dict)
    redact: Sequence[str] = ()
    rejected_samples: int = 3
    accounts: str | None = None
    text: str | None = None
    tokens: str | None = None
    slice_by: tuple[SliceBy, ...] = ()
    rejects: bool = False
    prices: Mapping[str, Any] = field(default_factory=dict)
    exporters: Sequence[Exporter] = ()

    def __post_init__(self) -> None:
        check_text("the name of a pipeline", self.name)
        check_number("flush_interval", self.flush_interval, above_zero=True)
        check_number("node_interval", self.node_interval)
        check_number("rejected_samples", self.rejected_samples, whole=True)
        check_prices(self.prices)
        check_exporters(self.exporters)
        for option in ("text", "tokens"):
            if (given := getattr(self, option)) is not None:
                check_text(option, given)
        if not isinstance(self.config, Mapping):
            raise TypeError(f"config must be a mapping, not {self.config!r}")
        if isinstance(self.redact, str):
            raise TypeError(f"redact must be a list of keys, such as [{self.redact!r}], not a string")

    @property
    def accounts_root(self) -> Path:
        """Folder with a folder of accounts for each run."""
        if self.accounts is not None:
            return Path(self.accounts)
        if is_local(self.metrics):
            return local_path(join(self.metrics, ACCOUNTS))
        return Path(tempfile.gettempdir()) / f"mdf-accounts-{os.getuid()}"

    def account_folder(self, run_id: str) -> Path:
        """Return the folder for the accounts of a run."""
        return self.accounts_root / run_id
