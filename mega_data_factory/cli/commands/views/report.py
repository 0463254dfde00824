"""`mdf report`: a run as one HTML file; and the report that `mdf run` writes when the configuration asks for it."""

from __future__ import annotations

from rich.text import Text

from mega_data_factory import storage
from mega_data_factory.analytics.findings import Finding
from mega_data_factory.cli.display.console import stdout
from mega_data_factory.cli.failures import SUCCESS, print_json
from mega_data_factory.cli.metrics_folder import open_store
from mega_data_factory.formats import plural, size
from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.framework.worker.without_pandas import keep_pandas_out
from mega_data_factory.redaction.loggers import logger
from mega_data_factory.reports import Report, report_name, write_report

_log = logger("mega_data_factory")

_STYLES = {"critical": "bold red", "warning": "yellow", "advice": "cyan", "good": "green"}
_MOST_FINDINGS = 5


def report(
    metrics: str, run: str, output: str | None, *, samples: bool, against: str | None = None, as_json: bool
) -> int:
    """Write the report of a run and say what stands out in it.

    JSON: `{run_id, report, bytes, findings: [{severity, kind, title, detail, evidence, suggestion, see}]}`.

    Raises:
        MetricsError: there is no such run, or several.
        OutputError: the file cannot be written.
    """
    keep_pandas_out()
    written = write_report(open_store(metrics), run, output, samples=samples, against=against)
    if as_json:
        print_json(
            {
                "run_id": written.run_id,
                "report": written.path,
                "bytes": written.bytes,
                "findings": [finding.as_dict() for finding in written.findings],
            }
        )
        return SUCCESS
    console = stdout()
    for finding in written.findings[:_MOST_FINDINGS]:
        console.print(_line(finding))
    if len(written.findings) > _MOST_FINDINGS:
        console.print(Text(f"and {plural(len(written.findings) - _MOST_FINDINGS, 'more finding')}", style="dim"))
    console.print(Text(f"\n{written.path}  {size(written.bytes)}"), soft_wrap=True)
    return SUCCESS


def _line(finding: Finding) -> Text:
    return Text.assemble((f"{finding.severity:<9}", _STYLES[finding.severity]), finding.title)


def report_beside(metrics: str, run_id: str) -> Report | None:
    """Write the report of a run that has just ended beside its metrics: `reports/report_{X}.html`.

    The run is what it is, whether its report can be written or not: a failure is logged, and None returned.
    """
    path = storage.join(metrics, "reports", report_name(run_id))
    try:
        return write_report(MetricsReader(metrics), run_id, path)
    except Exception as error:  # noqa: BLE001 - nothing that goes wrong here may fail a run that went well
        _log.warning("the report %s could not be written: %s", path, error)
        return None
