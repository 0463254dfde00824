"""Write the Grafana dashboard that the package ships; `--check` says whether it is stale.

What it asks is in `grafana_panels`; a test runs every query against a real Prometheus after a real run.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    DataTransformerConfig,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_panels import FLOW, NODES, OPERATORS, RUN, STATE, WORK, Panel

TARGET = Path(__file__).parents[1] / "mega_data_factory" / "exports" / "grafana" / "dashboard.json"

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")


def _targets(panel: Panel, *, instant: bool = False) -> list[prometheus.Dataquery]:
    targets = []
    for number, query in enumerate(panel.queries):
        target = prometheus.Dataquery().expr(query.expr).ref_id(chr(ord("A") + number)).datasource(SOURCE)
        target = target.legend_format(query.legend) if query.legend else target
        targets.append(target.instant() if instant else target.range())
    return targets


def _stat(panel: Panel) -> stat.Panel:
    mode = BigValueTextMode.NAME if panel.named else BigValueTextMode.VALUE
    built = stat.Panel().title(panel.title).description(panel.text).unit(panel.unit).span(panel.width).height(4)
    built = built.targets([*_targets(panel, instant=True)]).datasource(SOURCE).text_mode(mode).no_value("none yet")
    built = built.graph_mode(BigValueGraphMode.NONE).reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    if not panel.steps:
        return built.color_mode(BigValueColorMode.NONE)
    steps = [Threshold(value=value, color=colour) for value, colour in panel.steps]
    limits = dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
    return built.color_mode(BigValueColorMode.VALUE).thresholds(limits)


def _series(panel: Panel) -> timeseries.Panel:
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.TABLE).placement(LegendPlacement.BOTTOM)
    legend = legend.show_legend(True).calcs(["lastNotNull", "max"])
    built = timeseries.Panel().title(panel.title).description(panel.text).unit(panel.unit).span(panel.width).height(8)
    built = built.targets([*_targets(panel)]).datasource(SOURCE).legend(legend).min(0).line_width(1)
    built = built.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI)).fill_opacity(8)
    if panel.unit == "percentunit":
        built = built.max(1)
    if panel.stacked:
        built = built.stacking(common.StackingConfig().mode(StackingMode.NORMAL)).fill_opacity(30)
    return built


def _table(panel: Panel) -> table.Panel:
    names = {f"Value #{chr(ord('A') + number)}": query.legend for number, query in enumerate(panel.queries)}
    order = ["pipeline", "stage", "operator", *names]
    organise = {
        "excludeByName": {"Time": True},
        "indexByName": {name: at for at, name in enumerate(order)},
        "renameByName": names,
    }
    targets = [target.format(PromQueryFormat.TABLE) for target in _targets(panel, instant=True)]
    built = table.Panel().title(panel.title).description(panel.text).span(panel.width).height(9)
    built = built.targets([*targets]).datasource(SOURCE)
    built = built.with_transformation(DataTransformerConfig(id_val="merge", options={}))
    return built.with_transformation(DataTransformerConfig(id_val="organize", options=organise))


def _variable(name: str, query: str) -> dashboard.QueryVariable:
    built = dashboard.QueryVariable(name).query({"query": query, "refId": name}).datasource(SOURCE)
    built = built.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)
    everything = VariableOption(selected=True, text="All", value="$__all")
    return built.multi(True).include_all(True).all_value(".*").current(everything)


def _window(*choices: str) -> dashboard.IntervalVariable:
    """Return windows over which rates are taken; the second is the default: files are finished every 30 s."""
    options = [VariableOption(selected=at == 1, text=choice, value=choice) for at, choice in enumerate(choices)]
    return dashboard.IntervalVariable("window").values(",".join(choices)).options(options).current(options[1])


def build() -> str:
    """Return the dashboard as JSON."""
    board = (
        dashboard.Dashboard("mega-data-factory")
        .uid("mega-data-factory")
        .description("Runs of data-curation pipelines, live: what comes in, what passes, what limits, on which nodes.")
        .tags(["mega-data-factory"])
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time("now-1h", "now")
        .refresh("10s")
        .with_variable(dashboard.DatasourceVariable("datasource").type("prometheus").label("Data source"))
        .with_variable(_variable("pipeline", "label_values(mdf_run_info, pipeline)"))
        .with_variable(_variable("stage", f"label_values(mdf_stage_workers{{{RUN}}}, stage)"))
        .with_variable(_window("1m", "2m", "5m", "15m", "1h"))
    )
    number = itertools.count(1)
    for panel in STATE:
        board = board.with_panel(_stat(panel).id(next(number)))
    for title, panels in (("What comes in, what passes", FLOW), ("What it costs", WORK), ("Nodes", NODES)):
        board = board.with_row(dashboard.Row(title).id(next(number)))
        for panel in panels:
            board = board.with_panel(_series(panel).id(next(number)))
        if panels is WORK:
            board = board.with_panel(_table(OPERATORS).id(next(number)))
    return json.dumps(board.build(), cls=JSONEncoder, indent=1, sort_keys=True) + "\n"


def main(arguments: list[str]) -> int:
    """Write the dashboard, or with `--check` compare it; 1 when it is stale."""
    text = build()
    if TARGET.exists() and TARGET.read_text(encoding="utf-8") == text:
        print(f"{TARGET.name} is up to date")
    elif "--check" in arguments:
        print(f"{TARGET.name} is stale: run `make docs`")
        return 1
    else:
        TARGET.parent.mkdir(exist_ok=True)
        TARGET.write_text(text, encoding="utf-8")
        print(f"{TARGET.name} written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
