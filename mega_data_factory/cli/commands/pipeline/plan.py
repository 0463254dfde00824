"""`mdf plan`: what a configuration means, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.tree import Tree

from mega_data_factory.cli.display.console import stdout
from mega_data_factory.cli.failures import SUCCESS, print_json
from mega_data_factory.errors import ResourceError
from mega_data_factory.formats import count, plural, size
from mega_data_factory.framework.config.pipeline import PipelineConfig
from mega_data_factory.framework.driver.resources import check_fit, this_machine
from mega_data_factory.framework.engines.ray.cluster_query import ClusterSilent, ask_cluster
from mega_data_factory.framework.engines.ray.environment import ClusterAddress, cluster_address
from mega_data_factory.framework.plan import OperatorPlan, Plan, make_plan
from mega_data_factory.framework.registry import Component
from mega_data_factory.redaction import redacted


def plan(config: Path, overrides: Sequence[str], *, as_json: bool) -> int:
    """Show what would run. The keys of the JSON answer are those of `describe_plan`."""
    made = make_plan(PipelineConfig.from_yaml(config, overrides, with_components=True))
    described = describe_plan(made)
    if as_json:
        print_json(described)
    else:
        stdout().print(_tree(described))
    return SUCCESS


def describe_plan(made: Plan) -> dict[str, Any]:
    """Return a plan as JSON: names, parameters (secrets hidden), pools, resources, limits, and whether it fits."""
    executor = made.executor
    address = cluster_address(executor.ray_address) if executor.engine == "ray" else None
    described = {
        "pipeline": made.config.name,
        "engine": executor.engine,
        "ray_address": address.value if address else None,
        "data_loader": {**_component(made.loader), "num_workers": made.loader_workers},
        "stages": [
            {
                "name": stage.name,
                "min_workers": stage.min_workers,
                "max_workers": stage.max_workers,
                "resources": asdict(stage.resources),
                "operators": [_operator(op) for op in stage.operators],
            }
            for stage in made.stages
        ],
        "data_writer": _component(made.writer),
        "batch_size": executor.batch_size,
        "max_samples": executor.max_samples,
        "max_in_flight": made.max_in_flight,
        "max_records_in_memory": made.max_in_flight * executor.batch_size,
        "dedup_num_buckets": executor.dedup_num_buckets if made.needs_claims else 0,
        "fit": _fit(made, address),
    }
    return redacted(described, executor.metrics.redact)


def _fit(made: Plan, address: ClusterAddress | None) -> dict[str, Any]:
    """Return whether the smallest pools fit the cluster that the run will connect to, or else this machine."""
    asked = str(address or "this machine")
    unknown = {"asked": asked, "fits": None, "nodes": None, "machine": None, "error": None}
    try:
        machines = ask_cluster(address) if address else [this_machine()]
    except ClusterSilent as problem:
        return {**unknown, "warning": f"{asked} could not be asked: {problem}"}
    known = {name: sum(getattr(machine, name) for machine in machines) for name in ("cpu", "gpu", "memory")}
    answer = {"asked": asked, "fits": True, "nodes": len(machines), "machine": known, "error": None, "warning": None}
    try:
        check_fit(made, machines)
    except ResourceError as error:
        return {**answer, "fits": False, "error": error.as_dict()}
    return answer


def _operator(operator: OperatorPlan) -> dict[str, Any]:
    when = None if operator.when is None else operator.when.text
    return {
        **_component(operator.component),
        "name": operator.name,
        "when": when,
        "record_timeout": operator.record_timeout,
    }


def _component(component: Component) -> dict[str, Any]:
    return {"name": component.name, "class": component.target, "params": dict(component.params)}


def _tree(described: Mapping[str, Any]) -> Tree:
    engine = described["engine"]
    where = described["ray_address"] or ("a cluster started in this process" if engine == "ray" else "this machine")
    tree = Tree(f"[bold]{escape(described['pipeline'])}[/bold] on engine {engine} ({escape(where)})")
    loader = described["data_loader"]
    workers = plural(loader["num_workers"], "worker")
    tree.add(f"[bold]read[/bold]  {_component_text(loader)}  [dim]{workers}[/dim]")
    for stage in described["stages"]:
        branch = tree.add(f"[bold]stage[/bold] {escape(stage['name'])}  [dim]{_pool(stage)}[/dim]")
        for operator in stage["operators"]:
            branch.add(_component_text(operator))
    tree.add(f"[bold]write[/bold] {_component_text(described['data_writer'])}")
    for line in _limits(described):
        tree.add(line)
    return tree


def _component_text(component: Mapping[str, Any]) -> str:
    own = "" if component["class"].startswith("mega_data_factory.") else f"  [dim]{escape(component['class'])}[/dim]"
    params = "".join(f"  {key}={value!r}" for key, value in component["params"].items())
    when = f"  [dim]when[/dim] {escape(component['when'])}" if component.get("when") else ""
    return f"[cyan]{component['name']}[/cyan]{own}{escape(params)}{when}"


def _pool(stage: Mapping[str, Any]) -> str:
    least, most = stage["min_workers"], stage["max_workers"]
    workers = plural(most, "worker") if least == most else f"{least} to {most} workers"
    wanted = stage["resources"]
    parts = [] if wanted["cpu"] is None else [f"{wanted['cpu']:g} CPU"]
    parts += [f"{wanted['gpu']:g} GPU"] if wanted["gpu"] else []
    parts += [f"{size(wanted['memory'])} memory"] if wanted["memory"] else []
    parts += [f"{amount:g} {name}" for name, amount in wanted["custom"].items()]
    return escape(f"{workers}, each {', '.join(parts)}" if parts else workers)


def _limits(described: Mapping[str, Any]) -> list[str]:
    most = described["max_samples"]
    batches = f"{described['max_in_flight']} batches of {count(described['batch_size'])}"
    lines = [
        f"[bold]records[/bold]  {'all of the source' if most is None else f'at most {count(most)}'}",
        f"[bold]memory[/bold]  at most {count(described['max_records_in_memory'])} records between loader and writer, "
        f"for any size of the input: {batches} in flight",
    ]
    if described["dedup_num_buckets"]:
        lines.append(f"[bold]deduplication[/bold]  state in {plural(described['dedup_num_buckets'], 'shard')}")
    return [*lines, f"[bold]fits[/bold]  {_fit_text(described['fit'])}"]


def _fit_text(fit: Mapping[str, Any]) -> str:
    if fit["fits"] is None:
        return f"[yellow]not known[/yellow]: {escape(fit['warning'])}; it is checked when the run starts"
    machine = fit["machine"]
    there = f"{machine['cpu']:g} CPU, {size(machine['memory'])} memory"
    if machine["gpu"]:
        there += f", {machine['gpu']:g} GPU"
    nodes = f" on {plural(fit['nodes'], 'node')}" if fit["asked"] != "this machine" else ""
    if fit["fits"]:
        return f"yes, {escape(fit['asked'])} has {there}{nodes}"
    error = fit["error"]
    return f"[red]no[/red], asked {escape(fit['asked'])}: {escape(error['message'])}; {escape(error['hint'] or '')}"
