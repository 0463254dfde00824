"""`mdf plot`: the nodes of a run as a picture."""

from __future__ import annotations

from collections.abc import Sequence

from mega_data_factory.cli.display.console import stdout
from mega_data_factory.cli.failures import SUCCESS, UsageError, print_json
from mega_data_factory.cli.metrics_folder import open_store
from mega_data_factory.errors import did_you_mean
from mega_data_factory.formats import plural
from mega_data_factory.visualization.figures import written_suffix
from mega_data_factory.visualization.stored_run import from_store

KINDS = ("node", "cluster", "heatmap", "correlation")
_TITLES = {"cluster": "Cluster", "heatmap": "Load of nodes", "correlation": "What moves together"}


def plot(
    metrics: str,
    kind: str,
    run: str,
    output: str,
    *,
    nodes: Sequence[str] | None,
    last: str | None,
    timezone: str,
    dark: bool,
    as_json: bool,
) -> int:
    """Draw the nodes of a run into a file.

    JSON: `{run_id, kind, output, nodes}`.

    Raises:
        UsageError: there is no such kind of plot.
        VisualizationError: the suffix, a node, the age or the zone is unknown, or no node was watched.
        MetricsError: there is no such run.
    """
    if kind not in KINDS:
        raise UsageError(f"there is no plot `{kind}`", hint=did_you_mean(kind, KINDS))
    written_suffix(output)
    reader = open_store(metrics)
    run_id = reader.resolve(run)
    visualizer = from_store(reader, run_id, timezone=timezone, theme="dark" if dark else "light")
    chosen = list(nodes) if nodes else None
    known = chosen or visualizer.history.nodes()
    heading = _TITLES.get(kind) or (known[0] if len(known) == 1 else plural(len(known), "node"))
    title = f"{heading} · {run_id}"
    if kind == "node":
        visualizer.plot_node_metrics(output, chosen, last, title=title)
    elif kind == "cluster":
        visualizer.plot_cluster_overview(output, last, nodes=chosen, title=title)
    elif kind == "heatmap":
        visualizer.plot_heatmap(output, last, nodes=chosen, title=title)
    else:
        visualizer.plot_correlations(output, chosen, last, title=title)
    if as_json:
        print_json({"run_id": run_id, "kind": kind, "output": output, "nodes": known})
    else:
        stdout().print(f"wrote {output}", highlight=False, markup=False)
    return SUCCESS
