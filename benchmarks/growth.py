"""CPU and memory of a run as input, workers and nodes grow: CPU per gigabyte and peak memory should be flat.

The pipeline is cheap (length filter, exact deduplicator), so that reading, sending and writing weigh most. A simulated
node is a raylet of its own on this machine, with an object store of 200 MB. CPU and peak memory (PSS) are of the whole
process tree, Ray's included. Every measurement is kept in `growth.jsonl` below the folder of the benchmarks and is not
repeated; `--picture FILE` draws all of them, with a line through the medians of CPU and the greatest peaks.

    python benchmarks/growth.py --picture docs/images/growth.png
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from make_corpus import Corpus, ensure_corpus
from metering import bench_folder, measure, python
from pipeline import CLEAN, config

if TYPE_CHECKING:
    import plotly.graph_objects as go

ENGINES = {"local": "local engine", "ray": "Ray"}
SIZES = (100, 1000, 4000)
WORKERS = (1, 2)
NODES = (1, 2, 3, 4)
NODE_CPUS = 2
STORE_BYTES = 200_000_000


@dataclass(frozen=True)
class Point:
    """One measured run.

    Attributes:
        engine: `local` or `ray`.
        width: workers of the local engine, or nodes of Ray with a worker each.
        megabytes: size of the input.
        cpu: CPU seconds of the whole process tree.
        wall: seconds it took.
        peak: most memory of the tree at one time, MB.
    """

    engine: str
    width: int
    megabytes: int
    cpu: float
    wall: float
    peak: float

    @property
    def series(self) -> str:
        """The line of the picture that the point is on."""
        noun = {"local": "worker", "ray": "node"}[self.engine]
        return f"{self.width} {noun}{'s' if self.width > 1 else ''}"


def measured(engine: str, width: int, corpus: Corpus, megabytes: int) -> Point:
    """Run the pipeline over a corpus once."""
    with tempfile.TemporaryDirectory(dir=bench_folder()) as folder:
        place = Path(folder)
        settings = config(corpus, place, engine=engine)
        worker: dict[str, Any] = {"num_replicas": width}
        if engine == "ray":
            worker["resources"] = {"cpu": 0.5}
        settings["stages"] = [{"name": "clean", "operators": CLEAN, "worker": worker}]
        path = place / "pipeline.yaml"
        path.write_text(json.dumps(settings))  # JSON is YAML
        if engine == "ray":
            command = python(__file__, "--on-cluster", width, "--config", path)
        else:
            command = python("-m", "mega_data_factory.cli", "run", "--config", path)
        usage = measure(command, memory=True)
    return Point(engine, width, megabytes, round(usage.cpu, 2), round(usage.wall, 1), round(usage.peak_bytes / 1e6))


def run_on_cluster(nodes: int, path: Path) -> int:
    """Run a pipeline on a new cluster of simulated nodes; return the exit code of `mdf run`."""
    from mega_data_factory.framework.engines.ray.environment import prepare_ray

    prepare_ray(None)
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    try:
        for number in range(nodes):
            options = {"include_dashboard": False} if number == 0 else {}
            cluster.add_node(num_cpus=NODE_CPUS, object_store_memory=STORE_BYTES, **options)
        cluster.wait_for_nodes()
        command = python("-m", "mega_data_factory.cli", "run", "--config", path)
        return subprocess.run([*command, "--set", f"executor.ray_address={cluster.address}"], check=False).returncode
    finally:
        cluster.shutdown()


def wanted(sizes: list[int], ray_sizes: list[int]) -> Iterator[tuple[str, int, int]]:
    """Yield engine, width and megabytes of every run of a round, small inputs first."""
    for megabytes in sorted({*sizes, *ray_sizes}):
        for engine, widths, chosen in (("local", WORKERS, sizes), ("ray", NODES, ray_sizes)):
            yield from ((engine, width, megabytes) for width in widths if megabytes in chosen)


def measure_all(kept: Path, rounds: int, sizes: list[int], ray_sizes: list[int]) -> list[Point]:
    """Return every point that is kept; measure those first of which fewer than `rounds` are."""
    points = [Point(**json.loads(line)) for line in kept.read_text().splitlines()] if kept.exists() else []
    for number in range(1, rounds + 1):
        known = Counter((point.engine, point.width, point.megabytes) for point in points)
        for engine, width, megabytes in wanted(sizes, ray_sizes):
            if known[engine, width, megabytes] >= number:
                continue
            point = measured(engine, width, ensure_corpus(bench_folder(), megabytes), megabytes)
            with kept.open("a") as file:
                file.write(json.dumps(asdict(point)) + "\n")
            print(f"  {point}", flush=True)
            points.append(point)
    return points


def typical(points: list[Point]) -> list[Point]:
    """Return one point of each kind, in order: the median of CPU and wall time, the greatest of the peaks."""
    kinds: dict[tuple[str, int, int], list[Point]] = {}
    for point in sorted(points, key=lambda each: (each.engine, each.width, each.megabytes)):
        kinds.setdefault((point.engine, point.width, point.megabytes), []).append(point)
    return [
        replace(
            rounds[0],
            cpu=statistics.median(point.cpu for point in rounds),
            wall=statistics.median(point.wall for point in rounds),
            peak=max(point.peak for point in rounds),
        )
        for rounds in kinds.values()
    ]


def print_table(points: list[Point]) -> None:
    """Print a line for each kind of run, with CPU of every round."""
    print(
        "\n| | input, MB | CPU-s of each round | CPU-s per GB, median | wall s | peak MB |\n|---|---|---|---|---|---|"
    )
    for point in typical(points):
        kind = point.engine, point.width, point.megabytes
        rounds = ", ".join(f"{p.cpu:.1f}" for p in points if (p.engine, p.width, p.megabytes) == kind)
        print(
            f"| {point.engine}, {point.series} | {point.megabytes} | {rounds} "
            f"| {1000 * point.cpu / point.megabytes:.1f} | {point.wall:.0f} | {point.peak:.0f} |"
        )


def drawn(points: list[Point]) -> go.Figure:
    """Return CPU and peak memory over the size of the input: a dot for each run, a line through those of a width."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    from mega_data_factory.visualization.theme import LIGHT

    engines = [name for name in ENGINES if any(point.engine == name for point in points)]
    titles = [f"{ENGINES[name]}: {what}" for name in engines for what in ("CPU seconds", "peak memory, MB")]
    figure = make_subplots(len(engines), 2, subplot_titles=titles, horizontal_spacing=0.1)
    for row, engine in enumerate(engines, 1):
        for number, width in enumerate(sorted({point.width for point in points if point.engine == engine})):
            look = {"legend": f"legend{row}", "marker": {"color": LIGHT.colour(number), "size": 8}}
            for mode, chosen in (("markers", points), ("lines", typical(points))):
                mine = [point for point in chosen if (point.engine, point.width) == (engine, width)]
                gigabytes = [point.megabytes / 1000 for point in mine]
                for column, values in enumerate(([p.cpu for p in mine], [p.peak for p in mine]), 1):
                    shown = mode == "lines" and column == 1
                    line = {"color": LIGHT.colour(number), "width": 2}
                    series = go.Scatter(x=gigabytes, y=values, name=mine[0].series, mode=mode, line=line, **look)
                    figure.add_trace(series.update(showlegend=shown), row, column)
        top = figure.get_subplot(row, 1).yaxis.domain[1]
        place = {"x": 0.02, "xanchor": "left", "y": top - 0.01, "yanchor": "top", "orientation": "v"}
        figure.update_layout({f"legend{row}": place})
    figure.update_xaxes(title_text="input, GB", rangemode="tozero")
    figure.update_yaxes(rangemode="tozero")
    margin = {"l": 50, "r": 20, "t": 40, "b": 50}
    figure.update_layout(template=LIGHT.template(), height=360 * len(engines), margin=margin)
    return figure


def main() -> None:
    """Measure what is not measured yet, print, and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES, help="inputs of the local engine, MB")
    parser.add_argument("--ray-sizes", type=int, nargs="*", default=SIZES, help="inputs of Ray, MB")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--picture", type=Path, help="PNG to draw")
    parser.add_argument("--on-cluster", type=int, metavar="NODES", help=argparse.SUPPRESS)
    parser.add_argument("--config", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.on_cluster:
        sys.exit(run_on_cluster(given.on_cluster, given.config))
    points = measure_all(bench_folder() / "growth.jsonl", given.rounds, given.sizes, given.ray_sizes)
    print_table(points)
    if given.picture:
        from mega_data_factory.visualization.figures import image

        given.picture.write_bytes(image(drawn(points), "png", width=1000, scale=1.5))


if __name__ == "__main__":
    main()
