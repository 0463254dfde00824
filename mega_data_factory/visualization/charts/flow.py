"""Charts of the flow of records: bars of every operator, and a Sankey diagram with the reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import plotly.graph_objects as go

from mega_data_factory.analytics.runs.flow import Exit, Flow, Step, steps_of
from mega_data_factory.formats import count, percent, short_count
from mega_data_factory.visualization.charts.frame import ROW, ROW_LETTERS, framed, nothing
from mega_data_factory.visualization.charts.labels import distinct, safe, short_and_distinct
from mega_data_factory.visualization.theme import LIGHT, Theme

MOST_BARS = 30
"""Operators that have a bar of their own; of more, their stages have one."""

MOST_STEPS = 12
"""Operators that the Sankey diagram stops at; of more, the stages."""


def funnel(flow: Flow, theme: Theme = LIGHT) -> go.Figure:
    """Draw what came in to every operator or was created by it, split into passed, rejected and failed records.

    Of a run of more than 30 operators the bars are its stages; of more stages than that those that lose most.
    """
    steps = steps_of(flow, MOST_BARS)
    if not steps:
        return nothing(theme, "no operator has seen a record")
    largest = sorted(steps, key=lambda step: -(step.rejected + step.errors))[:MOST_BARS]
    shown = [step for step in steps if step in largest]
    several = len({step.operators[0].stage for step in shown}) > 1
    labels = distinct([step.label if several else step.name for step in shown], ROW_LETTERS)
    figure = go.Figure()
    parts = (
        ("passed on", theme.colour(0), 1.0, [step.output for step in shown]),
        ("rejected", theme.bad, 0.75, [step.rejected for step in shown]),
        ("errors", theme.warning, 0.9, [step.errors for step in shown]),
    )
    for name, colour, opacity, values in parts:
        if name != "passed on" and not any(values):
            continue
        of = [percent(100 * value / s.input) if s.input else "-" for value, s in zip(values, shown, strict=True)]
        figure.add_bar(
            y=labels,
            x=values,
            name=name,
            orientation="h",
            marker={"color": colour, "opacity": opacity, "line": {"width": 0}},
            customdata=[[share, count(s.input)] for share, s in zip(of, shown, strict=True)],
            hovertemplate=f"%{{x:,}} {name} (%{{customdata[0]}} of %{{customdata[1]}})<extra></extra>",
            text=[f"{short_count(s.output)} · {of[at]}" for at, s in enumerate(shown)] if name == "passed on" else None,
            textposition="inside",
            insidetextanchor="start",
            insidetextfont={"color": theme.background},
            textangle=0,
        )
    figure.update_yaxes(autorange="reversed", showgrid=False, ticksuffix="  ")
    figure.update_xaxes(title_text="records", tickformat="~s", showgrid=True, rangemode="tozero")
    height = 90 + ROW * len(shown)
    return framed(figure, theme, height, barmode="stack", bargap=0.22, hovermode="y unified", uniformtext=_QUIET)


_QUIET = {"mode": "hide", "minsize": 9}


# ── Sankey ────────────────────────────────────────────────────────────────────────────────────────────────────────────


_UNSEEN = "rgba(0,0,0,0)"


@dataclass
class _Sankey:
    """Nodes and links as they are found; a node is a label, a colour and a place."""

    labels: list[str] = field(default_factory=list)
    colours: list[str] = field(default_factory=list)
    links: list[tuple[int, int, int, str, str]] = field(default_factory=list)

    def node(self, label: str, colour: str) -> int:
        self.labels.append(label)
        self.colours.append(colour)
        return len(self.labels) - 1

    def link(self, source: int, target: int, records: int, colour: str, text: str) -> None:
        if records > 0:
            self.links.append((source, target, records, colour, text))


def sankey(flow: Flow, theme: Theme = LIGHT) -> go.Figure:
    """Draw the records from the source to the output, and where and why records left.

    What a step creates comes in beside. Steps that lose and create nothing are passed without a stop. Where more than
    12 operators lose something the steps are the stages; of more stages than that the least are passed without a stop
    too, and what leaves there is drawn at the end.
    """
    if not flow.read:
        return nothing(theme, "no record was read")
    drawn = _Sankey()
    steps, others = _stops(flow)
    reasons = 3 if len(steps) <= 6 else 2 if len(steps) <= 9 else 1  # what there is room for
    letters = max(9, min(24, 108 // (len(steps) + 2)))  # fits the width of A4 in 9 px
    here, left = drawn.node(f"read {short_count(flow.read)}", theme.colour(0)), flow.read
    left -= _leave(drawn, theme, here, [exit for exit in flow.exits if exit.operator is None], reasons, letters)
    for step in steps:
        name = safe(step.name, letters)
        there = drawn.node(name, theme.colour(0))
        drawn.link(here, there, left, theme.faint(theme.colour(0), 0.28), f"{count(left)} to {safe(step.name)}")
        left += _created(drawn, theme, there, step.created, safe(step.name)) - _leave(
            drawn, theme, there, step.exits, reasons, letters
        )
        here = there
    _created(drawn, theme, here, sum(step.created for step in others), "other operators")
    _exit(drawn, here, theme, "elsewhere", sum(exit.records for step in others for exit in step.exits), theme.bad)
    ends = (
        (f"written {short_count(flow.written)}", flow.written, theme.good, f"{count(flow.written)} written"),
        (f"open {short_count(flow.open)}", flow.open, theme.warning, f"{count(flow.open)} on their way, or lost"),
    )
    for label, records, colour, words in ends:
        if records:
            end = drawn.node(label, colour)
            drawn.link(here, end, records, theme.faint(colour, 0.4), words)
            # Plotly puts labels of the last column left of it, over those of the one before: this one stays hidden
            drawn.link(end, drawn.node("", _UNSEEN), records, _UNSEEN, words)
    return _drawn(drawn, theme, len(steps))


def _stops(flow: Flow) -> tuple[list[Step], list[Step]]:
    """Return steps that lose or create records, in order, at most 12; and the others, of fewer records."""
    losing = [step for step in steps_of(flow, len(flow.operators)) if step.exits or step.created]
    if len(losing) > MOST_STEPS:
        losing = [step for step in steps_of(flow, 0) if step.exits or step.created]
    large = sorted(losing, key=lambda step: -sum(exit.records for exit in step.exits) - step.created)[:MOST_STEPS]
    return [step for step in losing if step in large], [step for step in losing if step not in large]


def _created(drawn: _Sankey, theme: Theme, target: int, records: int, by: str) -> int:
    """Draw what comes in beside the records of the source; returns how many records."""
    if records:
        source = drawn.node(f"created {short_count(records)}", theme.good)
        drawn.link(source, target, records, theme.faint(theme.good, 0.4), f"{count(records)} created by {by}")
    return records


def _leave(drawn: _Sankey, theme: Theme, source: int, exits: Sequence[Exit], most: int, letters: int) -> int:
    """Draw what leaves at one place: the main reasons, the rest together, errors apart; returns how many records."""
    merged: dict[str, int] = {}
    for exit in exits:
        if exit.kind == "rejected":
            merged[exit.reason] = merged.get(exit.reason, 0) + exit.records
    reasons = sorted(merged.items(), key=lambda item: -item[1])
    labels = short_and_distinct([reason for reason, _ in reasons], max(6, letters - 4))
    for (reason, records), label in zip(reasons[:most], labels, strict=False):
        _exit(drawn, source, theme, label, records, theme.bad, safe(reason))
    if rest := reasons[most:]:
        name = f"{len(rest)} more reasons" if len(rest) > 1 else labels[-1]
        _exit(drawn, source, theme, name, sum(records for _, records in rest), theme.bad)
    for kind, name in (("error", "errors"), ("dead_letter", "dead letters")):
        _exit(drawn, source, theme, name, sum(e.records for e in exits if e.kind == kind), theme.warning)
    return sum(exit.records for exit in exits)


def _exit(
    drawn: _Sankey, source: int, theme: Theme, label: str, records: int, colour: str, words: str | None = None
) -> None:
    if records:
        target = drawn.node(f"{label} {short_count(records)}", colour)
        drawn.link(source, target, records, theme.faint(colour, 0.4), f"{count(records)} {words or label}")


def _drawn(drawn: _Sankey, theme: Theme, steps: int) -> go.Figure:
    sources, targets, values, colours, texts = zip(*drawn.links, strict=True) if drawn.links else ([], [], [], [], [])
    figure = go.Figure(
        go.Sankey(
            arrangement="snap",
            node={
                "label": drawn.labels,
                "color": drawn.colours,
                "pad": 14,
                "thickness": 12,
                "align": "left",
                "line": {"width": 0},
                "hovertemplate": "%{label}<extra></extra>",
            },
            link={
                "source": list(sources),
                "target": list(targets),
                "value": list(values),
                "color": list(colours),
                "hovercolor": list(colours),
                "customdata": list(texts),
                "hovertemplate": "%{customdata}<extra></extra>",
            },
            textfont={"color": theme.text, "size": theme.font_size},
        )
    )
    height = max(260, min(640, 20 + 24 * len(drawn.labels), 220 + 60 * steps))
    return framed(figure, theme, height, margin={"l": 8, "r": 8, "t": 16, "b": 16})
