"""The configuration of a pipeline: YAML, checked once at the door, frozen from then on.

Every key has a default and a sentence. An unknown key is an error that names the nearest known one.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ModelWrapValidatorHandler, PrivateAttr, field_validator, model_validator

from mega_data_factory.errors import ConfigError
from mega_data_factory.formats import parse_size
from mega_data_factory.framework.config.checking import checked
from mega_data_factory.framework.config.components import component_mistakes
from mega_data_factory.framework.config.condition import Condition
from mega_data_factory.framework.config.metrics import MetricsConfig as MetricsConfig
from mega_data_factory.framework.config.mistakes import Mistakes, Place
from mega_data_factory.framework.config.old_form import Upgraded, in_todays_form
from mega_data_factory.framework.config.section import Count, Section, TimeLimit, as_mappings
from mega_data_factory.framework.config.source import ConfigSource
from mega_data_factory.redaction.loggers import logger

log = logger("mega_data_factory")


class LoaderConfig(Section):
    """Source of the records."""

    type: str
    """A built-in loader (`mdf operators`) or your own `module:Class`."""
    params: dict[str, Any] = Field(default={})
    """Parameters of the loader."""
    num_workers: Count = 1
    """Number of workers that read at the same time."""


class OperatorConfig(Section):
    """One step of a stage."""

    name: str
    """A built-in operator in snake case (`text_length_filter`) or your own `module:Class`."""
    params: dict[str, Any] = Field(default={})
    """Parameters of the operator."""
    when: str | None = None
    """Which records the operator is given, as an SQL expression over columns (`language = 'en'`); others pass it."""
    record_timeout: TimeLimit | None = None
    """Seconds that one record may take in this operator; when absent, `executor.record_timeout`; 0 for no limit."""
    enabled: bool = True
    """Set to false to leave the operator out without deleting its lines."""

    @field_validator("when")
    @classmethod
    def _parse_condition(cls, value: str | None) -> str | None:
        if value is not None:
            Condition(value)
        return value


class ResourcesConfig(Section):
    """Resources that one worker of the stage reserves."""

    cpu: Annotated[float, Field(ge=0)] | None = None
    """CPU cores, fractions allowed; when absent, an equal share of the machine, at most 1."""
    gpu: Annotated[float, Field(ge=0)] = 0.0
    """GPUs, fractions allowed."""
    memory: Annotated[int, Field(ge=0)] = 0
    """Bytes, or a text such as `2GB` or `512MiB`."""
    custom: dict[str, Annotated[float, Field(ge=0)]] = Field(default={})
    """Custom resources of the Ray cluster by name."""

    @field_validator("memory", mode="before")
    @classmethod
    def _parse_memory(cls, value: Any) -> Any:
        return parse_size(value) if isinstance(value, str) else value


class WorkerConfig(Section):
    """The worker pool of a stage: a fixed size, or a range within which it grows and shrinks."""

    num_replicas: Count | None = None
    """A fixed number of workers (default 1)."""
    min_replicas: Count | None = None
    """The smallest size of an elastic pool."""
    max_replicas: Count | None = None
    """The largest size of an elastic pool."""
    resources: ResourcesConfig = ResourcesConfig()
    """Resources that one worker reserves."""

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> WorkerConfig:
        if self.num_replicas is not None and (self.min_replicas is not None or self.max_replicas is not None):
            raise ValueError("give either num_replicas or min_replicas and max_replicas, not both")
        if self.min_workers > self.max_workers:
            raise ValueError(f"min_replicas {self.min_workers} is more than max_replicas {self.max_workers}")
        return self

    @property
    def min_workers(self) -> int:
        """The smallest size of the pool."""
        return self.num_replicas or self.min_replicas or 1

    @property
    def max_workers(self) -> int:
        """The largest size of the pool."""
        return self.num_replicas or self.max_replicas or self.min_workers


class StageConfig(Section):
    """Operators that run one after another in the same worker."""

    name: str
    """Name of the stage, distinct in the pipeline."""
    operators: Annotated[list[OperatorConfig], Field(min_length=1)]
    """The operators, in order."""
    worker: WorkerConfig = WorkerConfig()
    """The worker pool of the stage."""


class WriterConfig(Section):
    """Destination of the records."""

    type: str
    """A built-in writer or your own `module:Class`."""
    params: dict[str, Any] = Field(default={})
    """Parameters of the writer: `output_path`, `target_file_mb`, `max_file_seconds`, `if_exists` and its own."""


class RejectedSamplesConfig(Section):
    """Rejected records that are kept: a few of every operator and reason, or a row of each."""

    enabled: bool = False
    """Whether to keep samples; the counts by reason are always kept."""
    output_path: str = "./rejected"
    """Folder or URI that the samples are written to."""
    samples_per_reason: Count = 10
    """Number of samples per operator and reason: a uniform sample that retries do not change."""
    keep: Literal["samples", "all"] = "samples"
    """`all` also writes a row for every rejected record, the reject ledger (`mdf rejects`); it turns `enabled` on."""
    content: bool = False
    """Whether the rows of `keep: all` hold the records themselves, as JSON."""

    @model_validator(mode="before")
    @classmethod
    def _enable_to_keep_all(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("keep") == "all":
            return {"enabled": True, **values}
        return values

    @property
    def keeps_all(self) -> bool:
        """Whether a row is kept of every rejected record."""
        return self.enabled and self.keep == "all"


class ExecutorConfig(Section):
    """Execution of the pipeline."""

    engine: Literal["local", "ray"] = "local"
    """`local`: worker processes on this machine; `ray`: Ray Data on a cluster."""
    ray_address: str | None = None
    """Address of a running Ray cluster; when absent, that of the environment variable RAY_ADDRESS, or else a cluster is
    started in this process."""
    batch_size: Count = 1000
    """Records that travel together."""
    max_samples: Count | None = None
    """Read only the first N records of the source."""
    max_in_flight: Count | None = None
    """Batches between loader and writer at any time; when absent, twice the number of workers."""
    on_error: Literal["fail", "skip"] = "skip"
    """When an operator raises on a record: `fail` stops the run, `skip` sends the record to the error sink."""
    max_errors: Annotated[float, Field(ge=0)] | None = None
    """Stop the run when more records than this raised: a count, or a share of the records read (0.01)."""
    max_attempts: Count = 3
    """Times that a batch may kill its worker before its poison records are isolated and dead-lettered."""
    record_timeout: TimeLimit = 60.0
    """Seconds that one record may take in an operator before it is set aside as an error; 0 for no limit."""
    dedup_num_buckets: Count = 2
    """Shards that hold the state of deduplicators."""
    errors_path: str | None = None
    """Folder for records that raised; when absent, `_errors` in the output folder."""
    dead_letter_path: str | None = None
    """Folder for records that killed their worker; when absent, `_dead_letter` in the output folder."""
    rejected_samples: RejectedSamplesConfig = RejectedSamplesConfig()
    """Rejected records that are kept."""
    metrics: MetricsConfig = MetricsConfig()
    """Metrics of the run."""

    @field_validator("max_errors")
    @classmethod
    def _count_or_share(cls, value: float | None) -> float | None:
        if value is not None and value > 1 and not value.is_integer():
            raise ValueError("a count of records is a whole number, a share is below 1")
        return value


class PipelineConfig(Section):
    """A whole pipeline."""

    name: str = "pipeline"
    """Name of the pipeline; its runs are compared under it. The file's name when absent."""
    data_loader: LoaderConfig
    """Source of the records."""
    stages: Annotated[list[StageConfig], Field(min_length=1)]
    """Stages that process the records."""
    data_writer: WriterConfig
    """Destination of the records."""
    executor: ExecutorConfig = ExecutorConfig()
    """Execution of the pipeline."""

    _source: ConfigSource | None = PrivateAttr(default=None)
    _old_form: tuple[str, ...] = PrivateAttr(default=())

    @model_validator(mode="wrap")
    @classmethod
    def _take_old_form(cls, values: Any, check: ModelWrapValidatorHandler[PipelineConfig]) -> PipelineConfig:
        """Check values of the constructor that were written for the original; `_checked` has none."""
        upgraded = in_todays_form(ConfigSource(as_mappings(values))) if isinstance(values, dict) else None
        if upgraded is None:
            return check(values)
        Mistakes(upgraded.mistakes).raise_all()
        config = check(upgraded.source.values)
        config._note_old_form(upgraded)
        return config

    def _note_old_form(self, upgraded: Upgraded) -> None:
        self._old_form = tuple(upgraded.notes)
        for note in upgraded.notes:
            log.warning("%s", note)

    @classmethod
    def from_yaml(
        cls, path: str | Path, overrides: Sequence[str] = (), *, with_components: bool = False
    ) -> PipelineConfig:
        """Read and check a YAML file.

        Args:
            path: the file.
            overrides: `key=value` with a dotted key, as `mdf run --set` takes them.
            with_components: when the form is wrong, name the mistakes in loader, operators and writer as well, which
                `make_plan` finds otherwise.

        Raises:
            ConfigError: the file cannot be read, or does not hold a valid pipeline; names file, line and key.
        """
        source = ConfigSource.read(Path(path))
        return cls._checked(source, overrides, default_name=Path(path).stem, with_components=with_components)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], overrides: Sequence[str] = ()) -> PipelineConfig:
        """Check a configuration made in Python; `${ENV}` values are filled in as in a file.

        Raises:
            ConfigError: it is not a valid pipeline.
        """
        return cls._checked(ConfigSource.from_mapping(values), overrides, default_name="pipeline")

    @classmethod
    def _checked(
        cls, source: ConfigSource, overrides: Sequence[str], default_name: str, *, with_components: bool = False
    ) -> PipelineConfig:
        source = source.overridden(overrides)
        upgraded = in_todays_form(source)
        if upgraded is not None:
            source = upgraded.source
        mistakes = [] if upgraded is None else upgraded.mistakes
        others = component_mistakes if with_components else None
        config = checked(source, cls, {"name": default_name}, mistakes, others)
        config._source = source
        if upgraded is not None:
            config._note_old_form(upgraded)
        return config

    @property
    def old_form(self) -> tuple[str, ...]:
        """What was written in the form of the original: a line each with its place and what to write instead."""
        return self._old_form

    def as_written(self) -> dict[str, Any]:
        """Return the configuration as it was written, environment variables not filled in: safe to store with a run."""
        return self.model_dump(mode="json") if self._source is None else copy.deepcopy(self._source.values)

    def place(self, *key: str | int) -> Place:
        """Return the place of a key of this configuration, for messages."""
        return Place(key, self._source)


def check_config(config: PipelineConfig | Mapping[str, Any] | str | Path) -> PipelineConfig:
    """Return a checked configuration from a model, a mapping or the path of a YAML file."""
    if isinstance(config, PipelineConfig):
        return config
    if isinstance(config, Mapping):
        return PipelineConfig.from_dict(config)
    if isinstance(config, (str, Path)):
        return PipelineConfig.from_yaml(config)
    raise ConfigError(f"a configuration is a mapping or the path of a YAML file, not {type(config).__name__}")
