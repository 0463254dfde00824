"""Keys of the original's sections in today's form."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from mega_data_factory.compat.configuration.edits import Edits
from mega_data_factory.framework.config.mistakes import Key

_EXECUTOR: Key = ("executor",)
_REJECTED: Key = (*_EXECUTOR, "rejected_samples")
_METRICS: Key = (*_EXECUTOR, "metrics")

_UNNEEDED: dict[Key, str] = {
    (*_EXECUTOR, "num_cpus"): "leave it out: `worker.resources.cpu` of a stage is what its workers reserve",
    (*_REJECTED, "writer_type"): "leave it out: rejected samples are always lines of JSON",
    ("data_loader", "checkpoint_interval"): "leave it out: every committed batch is a checkpoint (`mdf run --resume`)",
    (*_METRICS, "huggingface_repo"): "a run does not publish; call `MetricsReporter(...).publish_to_huggingface(...)`",
    (*_METRICS, "huggingface_token"): "leave it out: a token is no part of a configuration",
}
"""Key that is left out → what to write instead."""


def edit_loader(edits: Edits) -> None:
    """Edit the keys of `data_loader`, other than its parameters."""
    _leave_out(edits, "data_loader")


def edit_executor(edits: Edits) -> None:
    """Edit the keys of `executor` and of the sections below it."""
    _leave_out(edits, "executor")
    _edit_engine(edits)
    key = (*_METRICS, "debug_samples_per_operator")
    if edits.has(key):
        text = "write `executor.rejected_samples.samples_per_reason`"
        edits.replace(key, (*_REJECTED, "samples_per_reason"), text)


def edit_stages(edits: Edits) -> None:
    """Edit the keys of the stages, other than their operators; make stages of `operators` and `workers`."""
    if edits.has(("operators",)) and edits.has(("workers",)) and not edits.has(("stages",)):
        _make_stages(edits)
    for stage in edits.mappings(("stages",)):
        key = (*stage, "output_path")
        if edits.has(key):
            edits.note(key, "leave it out: the records of the last stage are written, to that of `data_writer`")
            edits.remove(key)


def _leave_out(edits: Edits, section: str) -> None:
    for key, reason in _UNNEEDED.items():
        if key[0] == section and edits.has(key):
            edits.note(key, reason)
            edits.remove(key)


def _edit_engine(edits: Edits) -> None:
    key = (*_EXECUTOR, "use_ray")
    if not edits.has(key):
        return
    wanted = edits.get(key)
    if not isinstance(wanted, bool):
        edits.refuse(key, "write `engine: ray` or `engine: local`")
        edits.remove(key)
        return
    target = (*_EXECUTOR, "engine")
    engine = edits.get(target) if edits.has(target) else "ray" if wanted else "local"
    edits.replace(key, target, f"write `engine: {engine}`")
    edits.set(target, engine, target)


def _make_stages(edits: Edits) -> None:
    """Write each worker as a stage with the operators that it names."""
    edits.note(("workers",), "write `stages`, each with its `name`, its `operators` and its `worker`")
    places = {name: key for key in edits.mappings(("operators",)) if isinstance(name := edits.get((*key, "name")), str)}
    stages: list[dict[str, Any]] = []
    used: set[str] = set()
    for worker in edits.mappings(("workers",)):
        stage = _stage(edits, worker, places)
        used.update(str(operator.get("name")) for operator in stage["operators"])
        for at, operator in enumerate(stage["operators"]):
            edits.copy_lines(places[operator["name"]], (*worker, "operators", at))
        stages.append(stage)
    for name, key in places.items():
        if name not in used:
            edits.note(key, f"leave it out, no worker names `{name}`")
    edits.set(("workers",), stages, ("workers",))
    edits.move(("workers",), ("stages",))
    edits.remove(("operators",))


def _stage(edits: Edits, worker: Key, places: Mapping[str, Key]) -> dict[str, Any]:
    values = dict(edits.get(worker))
    names = values.pop("operator_names", None)
    operators = []
    for name in names if isinstance(names, list) else []:
        if isinstance(name, str) and name in places:
            operators.append(copy.deepcopy(edits.get(places[name])))
        else:
            edits.refuse((*worker, "operator_names"), f"there is no operator `{name}` in `operators`")
    pool = {key: values.pop(key) for key in ("num_replicas", "min_replicas", "max_replicas") if key in values}
    resources = values.pop("resources", None)
    if resources:
        pool["resources"] = resources
    return {**values, "operators": operators, **({"worker": pool} if pool else {})}
