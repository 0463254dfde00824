"""Plan of a run: the configuration with every name resolved and every parameter checked. Pure and printable."""

from __future__ import annotations

import itertools
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mega_data_factory import extras, storage
from mega_data_factory.framework.config.mistakes import Mistakes
from mega_data_factory.framework.config.rules import check_shared, check_some_enabled, check_stage_names
from mega_data_factory.framework.contracts import WriterOptions
from mega_data_factory.framework.registry import Component, is_deduplicator, resolve

if TYPE_CHECKING:  # a worker reads plans of stages, and need not pay for the models of the configuration
    from mega_data_factory.framework.config.pipeline import ExecutorConfig, PipelineConfig, StageConfig


@dataclass(frozen=True)
class When:
    """The condition of an operator.

    Attributes:
        text: An SQL expression; see `Condition`.
        at: Its place in the configuration, for messages.
    """

    text: str
    at: str


@dataclass(frozen=True)
class OperatorPlan:
    """An operator instance.

    Attributes:
        name: distinct within the stage (`text_length_filter`, `text_length_filter_2`).
        index: position in the stage, from 0.
        component: what to build.
        when: which records it is given; None for all.
        record_timeout: Seconds that one record may take; 0 for no limit.
    """

    name: str
    index: int
    component: Component
    when: When | None = None
    record_timeout: float = 0.0


@dataclass(frozen=True)
class Resources:
    """Resources that one worker of a stage reserves.

    Attributes:
        cpu: cores; None for an equal share of the machine.
        gpu: GPUs.
        memory: bytes.
        custom: custom resources of a Ray cluster by name.
    """

    cpu: float | None = None
    gpu: float = 0.0
    memory: int = 0
    custom: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class StagePlan:
    """A stage: its operators and its worker pool."""

    name: str
    index: int
    operators: tuple[OperatorPlan, ...]
    min_workers: int
    max_workers: int
    resources: Resources = Resources()


@dataclass(frozen=True)
class Ends:
    """Where a pipeline reads and where it writes.

    Attributes:
        config: the configuration it was made from.
        loader: what reads.
        writer: what writes.
        writer_options: where to, and how files are gathered.
    """

    config: PipelineConfig
    loader: Component
    writer: Component
    writer_options: WriterOptions

    @property
    def executor(self) -> ExecutorConfig:
        """The `executor` section."""
        return self.config.executor


@dataclass(frozen=True)
class Plan(Ends):
    """A pipeline that is ready to run.

    Attributes:
        stages: what is done, in order.
        needs_claims: whether any operator deduplicates.
        exporters: where metrics go during the run, by a distinct name.
    """

    stages: tuple[StagePlan, ...]
    needs_claims: bool
    exporters: Mapping[str, Component] = field(default_factory=dict)

    @property
    def loader_workers(self) -> int:
        """Workers that read."""
        return self.config.data_loader.num_workers

    @property
    def max_in_flight(self) -> int:
        """Batches between loader and writer at any time."""
        workers = self.loader_workers + sum(stage.max_workers for stage in self.stages)
        return self.executor.max_in_flight or max(4, 2 * workers)

    def paths(self) -> dict[str, str]:
        """Return the absolute places of `output`, `errors`, `dead_letters` and, if kept, `rejected_samples`, `rejects`.

        The reject ledger of a run is in the folder of its name below `rejects`.
        """
        output = self.writer_options.output_path
        found = {
            "output": output,
            "errors": self.executor.errors_path or storage.join(output, "_errors"),
            "dead_letters": self.executor.dead_letter_path or storage.join(output, "_dead_letter"),
        }
        if self.executor.rejected_samples.enabled:
            found["rejected_samples"] = self.executor.rejected_samples.output_path
        if self.executor.rejected_samples.keeps_all:
            found["rejects"] = self.executor.rejected_samples.output_path
        return {name: storage.absolute(path) for name, path in found.items()}


def make_plan(config: PipelineConfig) -> Plan:
    """Resolve every name of a configuration and check every parameter.

    Raises:
        ConfigError: names or parameters are wrong, or two stages share a name; has a line for each mistake, with file,
            line and key.
    """
    mistakes = Mistakes()
    ends = make_ends(config, mistakes)
    names = [(stage.name, config.place("stages", index)) for index, stage in enumerate(config.stages)]
    check_stage_names(names, mistakes)
    stages = [_plan_stage(stage, index, config, mistakes) for index, stage in enumerate(config.stages)]
    exporters = _plan_exporters(config, mistakes)
    _check_installed(config, mistakes)
    mistakes.raise_all()
    assert ends is not None, "a loader or a writer that cannot be made is a mistake"
    return Plan(
        **vars(ends),
        stages=tuple(stages),
        needs_claims=any(is_deduplicator(op.component) for stage in stages for op in stage.operators),
        exporters=exporters,
    )


def make_ends(config: PipelineConfig, mistakes: Mistakes) -> Ends | None:
    """Return loader and writer of a configuration; None if one of them cannot be made.

    Args:
        config: the configuration.
        mistakes: where what is wrong with them is added.
    """
    loader = writer = options = None
    with mistakes.gathered():
        loader = resolve("loader", config.data_loader.type, config.data_loader.params, config.place("data_loader"))
    with mistakes.gathered():
        writer = resolve("writer", config.data_writer.type, config.data_writer.params, config.place("data_writer"))
        options = writer.build().options
        check_shared(options.output_path, config.place("data_writer", "params", "output_path"), mistakes)
    if loader is None or writer is None or options is None:
        return None
    return Ends(config, loader, writer, options)


def _check_installed(config: PipelineConfig, mistakes: Mistakes) -> None:
    """Find settings of the executor for which a package is missing; components check theirs themselves."""
    if config.executor.engine == "ray":
        with mistakes.gathered():
            extras.require("ray", f"{config.place('executor', 'engine')}: the engine `ray`")
    if config.executor.metrics.generate_report:
        with mistakes.gathered():
            extras.require("report", f"{config.place('executor', 'metrics', 'generate_report')}: a report")


def _plan_stage(stage: StageConfig, index: int, config: PipelineConfig, mistakes: Mistakes) -> StagePlan:
    operators: list[OperatorPlan] = []
    used: set[str] = set()
    for position, operator in enumerate(stage.operators):
        with mistakes.gathered():
            where = config.place("stages", index, "operators", position)
            component = resolve("operator", operator.name, operator.params, where)
            if not operator.enabled:
                continue
            name = _distinct(component.name, used)
            used.add(name)
            when = None if operator.when is None else When(operator.when, str(where.below("when")))
            limit = operator.record_timeout
            limit = config.executor.record_timeout if limit is None else limit
            operators.append(OperatorPlan(name, len(operators), component, when, limit))
    enabled = [operator.enabled for operator in stage.operators]
    check_some_enabled(stage.name, enabled, config.place("stages", index), mistakes)
    worker = stage.worker
    resources = Resources(**worker.resources.model_dump())
    return StagePlan(stage.name, index, tuple(operators), worker.min_workers, worker.max_workers, resources)


def _plan_exporters(config: PipelineConfig, mistakes: Mistakes) -> dict[str, Component]:
    exporters: dict[str, Component] = {}
    for key, name, params in config.executor.metrics.exporter_specs():
        with mistakes.gathered():
            component = resolve("exporter", name, params, config.place(*key))
            exporters[_distinct(component.name.removesuffix("_exporter"), exporters)] = component
    return exporters


def _distinct(name: str, used: Container[str]) -> str:
    """Return `name`, or the first of `name_2`, `name_3` … that is not used."""
    numbered = (f"{name}_{number}" for number in itertools.count(2))
    return next(candidate for candidate in itertools.chain([name], numbered) if candidate not in used)
