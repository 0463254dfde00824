"""Where the records went: bars of every operator, and a Sankey diagram with the reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import plotly.graph_objects as go

from mega_data_factory.analytics.runs.flow import Exit, Flow
from mega_data_factory.analytics.runs.totals import OperatorTotals
from mega_data_factory.visualization.charts.frame import ROW, framed, nothing
from mega_data_factory.visualization.charts.labels import distinct, safe
from mega_data_factory.visualization.formats import count, percent, short_count
from mega_data_factory.visualization.theme import LIGHT, Theme

MOST_BARS = 60
"""Operators that the funnel shows; of more, those that lose most."""

MOST_STEPS = 14
MOST_REASONS = 3


def funnel(flow: Flow, theme: Theme = LIGHT) -> go.Figure:
    """What every operator got, and what of that it passed on, rejected, or set aside with an error."""
    shown = _worth_a_bar(flow.operators)
    if not shown:
        return nothing(theme, "no operator has seen a record")
    several = len({operator.stage for operator in shown}) > 1
    labels = distinct([operator.label if several else operator.name for operator in shown])
    figure = go.Figure()
    parts = (
        ("passed on", theme.colour(0), 1.0, [operator.output for operator in shown]),
        ("rejected", theme.bad, 0.75, [operator.input - operator.output - operator.errors for operator in shown]),
        ("errors", theme.warning, 0.9, [operator.errors for operator in shown]),
    )
    for name, colour, opacity, values in parts:
        if name != "passed on" and not any(values):
            continue
        of = [percent(100 * value / o.input) if o.input else "-" for value, o in zip(values, shown, strict=True)]
        figure.add_bar(
            y=labels,
            x=values,
            name=name,
            orientation="h",
            marker={"color": colour, "opacity": opacity, "line": {"width": 0}},
            customdata=[[share, count(o.input)] for share, o in zip(of, shown, strict=True)],
            hovertemplate=f"%{{x:,}} {name} (%{{customdata[0]}} of %{{customdata[1]}})<extra></extra>",
            text=[f"{short_count(o.output)} · {of[at]}" for at, o in enumerate(shown)] if name == "passed on" else None,
            textposition="inside",
            insidetextanchor="start",
            textangle=0,
        )
    figure.update_yaxes(autorange="reversed", showgrid=False, ticksuffix="  ")
    figure.update_xaxes(title_text="records", tickformat="~s", showgrid=True, rangemode="tozero")
    height = 90 + ROW * len(shown)
    return framed(figure, theme, height, barmode="stack", bargap=0.22, hovermode="y unified", uniformtext=_QUIET)


_QUIET = {"mode": "hide", "minsize": 9}


def _worth_a_bar(operators: Sequence[OperatorTotals]) -> list[OperatorTotals]:
    if len(operators) <= MOST_BARS:
        return list(operators)
    losing = sorted(operators, key=lambda operator: operator.output - operator.input)[:MOST_BARS]
    return sorted(losing, key=lambda operator: (operator.stage_index, operator.index))


# ── Sankey ────────────────────────────────────────────────────────────────────────────────────────────────────────────


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
    """Records from the source to the output, and where which of them left, and why.

    Operators that lose nothing are passed without a stop, and of many only those that lose most have one of their own.
    """
    if not flow.read:
        return nothing(theme, "no record was read")
    drawn = _Sankey()
    steps = _steps(flow)
    here, left = drawn.node(f"read {short_count(flow.read)}", theme.colour(0)), flow.read
    left -= _leave(drawn, theme, here, [exit for exit in flow.exits if exit.operator is None])
    for operators, exits in steps:
        gone = sum(exit.records for exit in exits)
        name = safe(operators[0].name, 28) if len(operators) == 1 else f"{len(operators)} operators"
        there = drawn.node(name, theme.colour(0))
        drawn.link(here, there, left, theme.faint(theme.colour(0), 0.28), f"{count(left)} to {name}")
        _leave(drawn, theme, there, exits)
        here, left = there, left - gone
    if flow.written or flow.open:  # labels of the last column stand left of it: make room beside this one's
        drawn.labels[here] += "<br> <br> "
    if flow.written:
        end = drawn.node(f"written {short_count(flow.written)}", theme.good)
        drawn.link(here, end, flow.written, theme.faint(theme.good, 0.4), f"{count(flow.written)} written")
    if flow.open:
        end = drawn.node(f"open {short_count(flow.open)}", theme.warning)
        drawn.link(here, end, flow.open, theme.faint(theme.warning, 0.4), f"{count(flow.open)} on their way, or lost")
    return _drawn(drawn, theme, len(steps))


def _steps(flow: Flow) -> list[tuple[list[OperatorTotals], list[Exit]]]:
    """Operators that lose something, in order, with what leaves there; the least of too many are put together."""
    by_place: dict[tuple[str, str], list[Exit]] = {}
    for exit in flow.exits:
        if exit.operator is not None:
            by_place.setdefault((exit.operator.stage, exit.operator.name), []).append(exit)
    losing = [o for o in flow.operators if (o.stage, o.name) in by_place]
    large = sorted(losing, key=lambda o: -sum(e.records for e in by_place[o.stage, o.name]))[:MOST_STEPS]
    steps: list[tuple[list[OperatorTotals], list[Exit]]] = []
    for operator in losing:
        exits = by_place[operator.stage, operator.name]
        if operator in large or not steps or (len(steps[-1][0]) == 1 and steps[-1][0][0] in large):
            steps.append(([operator], exits))
        else:
            steps[-1] = ([*steps[-1][0], operator], [*steps[-1][1], *exits])
    return steps


def _leave(drawn: _Sankey, theme: Theme, source: int, exits: Sequence[Exit]) -> int:
    """Draw what leaves at one place: the main reasons, the rest together, errors apart; returns how many records."""
    rejected = [exit for exit in exits if exit.kind == "rejected"]
    merged: dict[str, int] = {}
    for exit in sorted(rejected, key=lambda exit: -exit.records):
        merged[exit.reason] = merged.get(exit.reason, 0) + exit.records
    reasons = list(merged.items())
    for reason, records in reasons[:MOST_REASONS]:
        _exit(drawn, source, theme, safe(reason, 28), records, theme.bad)
    if len(reasons) > MOST_REASONS:
        rest = sum(records for _, records in reasons[MOST_REASONS:])
        _exit(drawn, source, theme, f"{len(reasons) - MOST_REASONS} more reasons", rest, theme.bad)
    for kind, name in (("error", "errors"), ("dead_letter", "dead letters")):
        _exit(drawn, source, theme, name, sum(e.records for e in exits if e.kind == kind), theme.warning)
    return sum(exit.records for exit in exits)


def _exit(drawn: _Sankey, source: int, theme: Theme, label: str, records: int, colour: str) -> None:
    if records:
        target = drawn.node(f"{label} {short_count(records)}", colour)
        drawn.link(source, target, records, theme.faint(colour, 0.4), f"{count(records)} {label}")


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
                "customdata": list(texts),
                "hovertemplate": "%{customdata}<extra></extra>",
            },
            textfont={"color": theme.text, "size": theme.font_size},
        )
    )
    height = max(260, min(720, 40 + 24 * sum(label_at > 0 for label_at in range(len(drawn.labels))), 220 + 60 * steps))
    return framed(figure, theme, height, margin={"l": 8, "r": 8, "t": 16, "b": 16})
