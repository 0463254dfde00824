"""Reports of runs, read and written by one object, and published to the Hugging Face Hub."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mega_data_factory import extras, storage
from mega_data_factory.clock import utc_now
from mega_data_factory.errors import InputError, MetricsError, OutputError
from mega_data_factory.formats import moment
from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.redaction import without_credentials
from mega_data_factory.storage import Location

if TYPE_CHECKING:
    import pandas as pd


class MetricsReporter:
    """Reads single runs as pandas objects, writes their HTML reports, and publishes these.

    Today's own are `MetricsReader` and `mdf report`.

    Args:
        metrics_path: the metrics folder, local or an fsspec URI.

    Attributes:
        metrics_path: the metrics folder: a `Path` where it is local, else the URI.
    """

    def __init__(self, metrics_path: Location) -> None:
        local = storage.is_local(metrics_path)
        self.metrics_path: Path | str = storage.local_path(metrics_path) if local else str(metrics_path)
        self._reader = MetricsReader(metrics_path)

    def load_single_run_metrics(self, run_id: str) -> tuple[pd.Series | None, pd.DataFrame | None, pd.DataFrame | None]:
        """Return the row of a run, its stage rows and its operator rows, with the columns of their tables.

        All are None for a run that is not there; stages and operators are None if it has none.

        Args:
            run_id: the run, with or without a leading `run_`.

        Raises:
            MissingPackageError: pandas is not installed.
        """
        with extras.needed_by("MetricsReporter"):
            import pandas as pd
        if (known := self._known(run_id)) is None:
            return None, None, None
        levels = self._reader.levels(known)
        stages, operators = levels.stages.to_pandas(), levels.operators.to_pandas()
        return pd.Series(levels.run), stages if len(stages) else None, operators if len(operators) else None

    def get_latest_run_id(self) -> str | None:
        """Return the id of the run that started last; None if there are no runs."""
        return next(reversed(self._reader.list_runs()), None)

    def generate_single_run_report(
        self,
        run_id: str | None = None,
        output_path: Location | None = None,
        rejected_samples_path: Location | None = None,
        output_samples_path: Location | None = None,
        debug_samples_per_operator: int = 20,
    ) -> str:
        """Write the report of a run, and return its path.

        Args:
            run_id: the run, with or without a leading `run_`; the latest by default.
            output_path: the file; `reports/report_{X}.html` below the metrics folder by default, X being the id without
                a leading `run_`.
            rejected_samples_path: folder of samples of rejected records, or their `.jsonl` file. Samples of records are
                shown where this or the next is given.
            output_samples_path: folder of the output of the run.
            debug_samples_per_operator: records to show of every operator and reason, and of the output.

        Raises:
            MetricsError: there is no such run, or none at all.
            OutputError: the file cannot be written.
            MissingPackageError: the packages of reports are not installed.
        """
        from mega_data_factory.reports import SampleSources, report_name, write_report

        chosen = self.get_latest_run_id() if run_id is None else self._known(run_id)
        if chosen is None:
            missing = "there are no runs" if run_id is None else f"there is no run {run_id}"
            raise MetricsError(f"{missing} in {self.metrics_path}", hint="see `mdf runs list`")
        if output_path is None:
            output_path = storage.join(self.metrics_path, "reports", report_name(chosen))
        sources = SampleSources(
            None if rejected_samples_path is None else str(rejected_samples_path),
            None if output_samples_path is None else str(output_samples_path),
            debug_samples_per_operator,
            debug_samples_per_operator,
        )
        shown = rejected_samples_path is not None or output_samples_path is not None
        return write_report(self._reader, chosen, output_path, samples=sources if shown else False).path

    def publish_to_huggingface(
        self, report_path: str | Path, repo_id: str, token: str | None = None, commit_message: str | None = None
    ) -> str:
        """Publish a report as the page of a static Space of the Hugging Face Hub, which is made if it does not exist.

        Args:
            report_path: the report, a local file; it becomes `index.html` of the Space.
            repo_id: the Space, `owner/name`.
            token: of the Hub, with the right to write; by default the one that `huggingface_hub` finds (`HF_TOKEN`, or
                `hf auth login`).
            commit_message: by default it says when the report was published.

        Returns:
            The address of the Space.

        Raises:
            InputError: there is no such report.
            OutputError: the Hub cannot be reached, or refuses.
            MissingPackageError: `huggingface_hub` is not installed.
        """
        with extras.needed_by("publishing a report"):
            from huggingface_hub import HfApi

        if not storage.exists(report_path):
            raise InputError(f"there is no report {report_path}", hint="generate_single_run_report() returns its path")
        hub = HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=token)
        message = commit_message or f"Metrics report of {moment(utc_now())}"
        try:
            space = hub.create_repo(repo_id, repo_type="space", space_sdk="static", exist_ok=True)
            hub.upload_file(
                path_or_fileobj=Path(report_path),
                path_in_repo="index.html",
                repo_id=repo_id,
                repo_type="space",
                commit_message=message,
            )
        except Exception as error:  # of whichever HTTP library the installed version uses
            raise OutputError(
                without_credentials(f"the report cannot be published to {repo_id}: {error}"),
                hint="check the name of the Space, and that the token may write there",
            ) from error
        return str(space)

    def _known(self, run_id: str) -> str | None:
        known = self._reader.list_runs()
        return next((name for name in (run_id, f"run_{run_id}") if name in known), None)
