"""Write the report of a run: read, think, draw, one file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from mega_data_factory import storage
from mega_data_factory._version import __version__
from mega_data_factory.analytics.comparison.baselines import read_baseline
from mega_data_factory.analytics.findings import Finding
from mega_data_factory.analytics.runs.earlier_runs import EarlierRuns
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.clock import utc_now
from mega_data_factory.formats import joints, moment
from mega_data_factory.framework.metrics.reader import MetricsReader
from mega_data_factory.reports.document import Document
from mega_data_factory.reports.excluded import SampleSources
from mega_data_factory.reports.figures import packed_library, templates, two_looks
from mega_data_factory.storage import Location
from mega_data_factory.visualization.page import plotly_script, script_json, script_sources
from mega_data_factory.visualization.theme import DARK, LIGHT


@dataclass(frozen=True)
class Report:
    """A report that was written.

    Attributes:
        run_id: the run.
        path: the file.
        bytes: its size.
        findings: what it says first.
    """

    run_id: str
    path: str
    bytes: int
    findings: tuple[Finding, ...]


def report_name(run_id: str) -> str:
    """Return the file name of the report of a run: `report_{X}.html`, X being the id without a leading `run_`."""
    return f"report_{run_id.removeprefix('run_')}.html"


def write_report(
    reader: MetricsReader,
    run: str,
    output: Location | None = None,
    *,
    samples: bool | SampleSources = False,
    against: str | None = None,
) -> Report:
    """Write the report of a run.

    Args:
        reader: the metrics.
        run: id, unique beginning of one, or `latest`.
        output: the file, local or an fsspec URI; `report_name` in the current folder by default.
        samples: whether to show content of rejected and kept records, which may be sensitive; or where they are.
        against: What to compare it with: a run, or `last:N`; the run before it by default.

    Raises:
        MetricsError: there is no such run, or several.
        OutputError: the file cannot be written.
    """
    recording = Recording.read(reader, run)
    baseline = None if against is None else read_baseline(reader, recording, against)
    past = EarlierRuns.read(reader, recording)
    sources = SampleSources() if samples is True else samples or None
    document = Document.from_recording(recording, past, samples=sources, baseline=baseline)
    page = render(document).encode()
    path = report_name(recording.run_id) if output is None else output
    with storage.atomic_output(path) as sink:
        sink.write(page)
    return Report(recording.run_id, str(path), len(page), document.findings)


def render(document: Document) -> str:
    """Return the whole page as text: nothing in it refers to anything outside of it."""
    figures = {name: two_looks(draw) for name, draw in document.all_charts.items()}
    script = _asset("report.js")
    library = plotly_script() if figures else ""
    sliders = {shown.name: shown.as_dict() for shown in document.thresholds}
    drawn = {"figures": figures, "templates": templates(), "thresholds": sliders}
    context: dict[str, Any] = {
        **document.context(),
        "style": Markup(_asset("report.css")),  # noqa: S704 - ours, and nothing of the run is in it
        "looks": Markup(_looks()),  # noqa: S704 - made of the themes
        "script": Markup(script),  # noqa: S704 - ours
        "figures": Markup(script_json(drawn)),  # noqa: S704 - escaped there
        "library": packed_library() if figures else "",
        "script_hashes": script_sources(text for text in (script, library) if text),
        "version": __version__,
        "made": moment(utc_now()),
    }
    return _environment().get_template("report.html.j2").render(context)


def _looks() -> str:
    """Return the colours of both looks: the reader's choice, else what the system prefers; on paper always light."""
    chosen = DARK.css().replace(":root", ':root[data-theme="dark"]', 1)
    preferred = DARK.css().replace(":root", ":root:not([data-theme])", 1)
    return "\n".join(
        (
            LIGHT.css(),
            f"@media screen {{ {chosen} }}",
            f"@media screen and (prefers-color-scheme: dark) {{ {preferred} }}",
        )
    )


@cache
def _asset(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


def _worded(text: str) -> Markup:
    """Return a sentence with text between backticks as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # one of them is the sentence's own
        return escape(text)
    return Markup().join(Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts))


def _breakable(name: str) -> Markup:
    """Return a name that may break after `_`, `-`, `/`, `.` and `:`, so that no line ends inside a word."""
    return Markup("<wbr>").join(escape(piece) for piece in joints(name))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("mega_data_factory.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["moment"] = moment
    environment.filters["worded"] = _worded
    environment.filters["breakable"] = _breakable
    return environment
