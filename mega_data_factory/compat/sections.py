"""Sections of a configuration made in Python under their old names, with positional arguments and old keys."""

from __future__ import annotations

from typing import Any, ClassVar

from mega_data_factory.compat.configuration.upgrade import upgrade
from mega_data_factory.framework.config import metrics, pipeline
from mega_data_factory.framework.config.mistakes import Key, Mistakes, dotted
from mega_data_factory.framework.config.source import ConfigSource
from mega_data_factory.redaction.loggers import logger

_log = logger("mega_data_factory")


class _OldSection:
    """What the sections share.

    Attributes:
        order: names of positional arguments.
        place: key of the section in a configuration.
    """

    order: ClassVar[tuple[str, ...]]
    place: ClassVar[Key]

    def __init__(self, *given: Any, **values: Any) -> None:
        values |= zip(self.order, given, strict=False)
        super().__init__(**_in_todays_form(type(self).__name__, self.place, values))


def _in_todays_form(name: str, place: Key, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a section in today's form; log what to write instead.

    Args:
        name: of the class.
        place: key of the section in a configuration.
        values: as given.

    Raises:
        ConfigError: a key has no form of today.
    """
    whole: Any = values
    for part in reversed(place):
        whole = [whole] if isinstance(part, int) else {part: whole}
    upgraded = upgrade(ConfigSource.from_mapping(whole))
    Mistakes(upgraded.mistakes).raise_all()
    for note in upgraded.notes:
        _log.warning("%s", note.replace(dotted(place), name, 1))
    found: Any = upgraded.source.values
    for part in place:
        found = found[part]
    section: dict[str, Any] = found
    return section


class DataLoaderConfig(_OldSection, pipeline.LoaderConfig):
    """`LoaderConfig` of today."""

    order: ClassVar[tuple[str, ...]] = ("type", "params", "num_workers", "checkpoint_interval")
    place: ClassVar[Key] = ("data_loader",)


class OperatorConfig(_OldSection, pipeline.OperatorConfig):
    """`OperatorConfig` of today."""

    order: ClassVar[tuple[str, ...]] = ("name", "params", "enabled")
    place: ClassVar[Key] = ("stages", 0, "operators", 0)


class StageWorkerConfig(_OldSection, pipeline.WorkerConfig):
    """`WorkerConfig` of today."""

    order: ClassVar[tuple[str, ...]] = ("resources", "num_replicas", "min_replicas", "max_replicas")
    place: ClassVar[Key] = ("stages", 0, "worker")


class StageConfig(_OldSection, pipeline.StageConfig):
    """`StageConfig` of today."""

    order: ClassVar[tuple[str, ...]] = ("name", "operators", "worker", "output_path")
    place: ClassVar[Key] = ("stages", 0)


class DataWriterConfig(_OldSection, pipeline.WriterConfig):
    """`WriterConfig` of today."""

    order: ClassVar[tuple[str, ...]] = ("type", "params")
    place: ClassVar[Key] = ("data_writer",)


class RejectedSamplesConfig(_OldSection, pipeline.RejectedSamplesConfig):
    """`RejectedSamplesConfig` of today."""

    order: ClassVar[tuple[str, ...]] = ("enabled", "output_path", "writer_type")
    place: ClassVar[Key] = ("executor", "rejected_samples")


class MetricsConfig(_OldSection, metrics.MetricsConfig):
    """`MetricsConfig` of today."""

    order: ClassVar[tuple[str, ...]] = (
        "enabled",
        "output_path",
        "collect_custom_metrics",
        "write_on_completion",
        "generate_report",
    )
    place: ClassVar[Key] = ("executor", "metrics")


class ExecutorConfig(_OldSection, pipeline.ExecutorConfig):
    """`ExecutorConfig` of today."""

    order: ClassVar[tuple[str, ...]] = (
        "max_samples",
        "batch_size",
        "use_ray",
        "num_cpus",
        "dedup_num_buckets",
        "max_in_flight",
    )
    place: ClassVar[Key] = ("executor",)
