"""Configuration of metrics: the section `executor.metrics`, and those below it that are no exporters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from mega_data_factory.framework.config.exporters import (
    ExporterConfig,
    ExporterSpec,
    MlflowConfig,
    OpenLineageConfig,
    OtlpConfig,
    PrometheusConfig,
)
from mega_data_factory.framework.config.section import Section
from mega_data_factory.framework.metrics.upkeep.retention import Retention

Name = Annotated[str, Field(min_length=1)]


def _not_all_the_time(seconds: float) -> float:
    if 0 < seconds < 0.1:
        raise ValueError("should be 0 (never) or at least 0.1")
    return seconds


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    twice = [name for at, name in enumerate(names) if name in names[:at]]
    if twice:
        raise ValueError(f"{twice[0]!r} is there twice")
    return names


NodeSeconds = Annotated[float, Field(ge=0, le=86_400), AfterValidator(_not_all_the_time)]


class RetentionConfig(Section):
    """Limits of the metrics folder; runs beyond them are removed after each run. Without limits all stay."""

    max_age: str | None = None
    """Remove runs that were last heard of longer ago: a number and `s`, `m`, `h`, `d` or `w`, such as `90d`."""
    max_runs: Annotated[int, Field(ge=1)] | None = None
    """Number of newest runs to keep."""
    max_bytes: int | str | None = None
    """Keep the newest runs whose files are so large together: bytes, or text such as `2GB`."""

    @model_validator(mode="after")
    def _check(self) -> RetentionConfig:
        self.limits()
        return self

    def limits(self) -> Retention:
        """Return the limits as numbers; ValueError where one is not an age or a size."""
        return Retention.parse(self.max_age, self.max_runs, self.max_bytes)


Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class NodePriceConfig(Section):
    """Prices of some nodes, in place of those of all."""

    node_hour: Price | None = None
    """A whole node for an hour; then the other prices do not count."""
    cpu_hour: Price | None = None
    """A core for an hour."""
    gpu_hour: Price | None = None
    """A GPU for an hour."""
    memory_gb_hour: Price | None = None
    """A gigabyte of memory for an hour."""

    @model_validator(mode="after")
    def _some_price(self) -> NodePriceConfig:
        if not any(price is not None for price in (self.node_hour, self.cpu_hour, self.gpu_hour, self.memory_gb_hour)):
            raise ValueError("give a price: node_hour, cpu_hour, gpu_hour or memory_gb_hour")
        return self


class PricesConfig(Section):
    """Prices of CPU, GPU and memory, for the cost of runs. Without prices no cost is shown."""

    currency: Annotated[str, Field(min_length=1, max_length=10)] = "USD"
    """Currency of all prices, as text."""
    cpu_hour: Price | None = None
    """A core for an hour."""
    gpu_hour: Price | None = None
    """A GPU for an hour."""
    memory_gb_hour: Price | None = None
    """A gigabyte (10^9 bytes) of memory for an hour."""
    nodes: dict[str, NodePriceConfig] = Field(default={})
    """Prices by node type: a pattern of host names (`gpu-*`) and its prices; the first that matches counts."""

    @model_validator(mode="after")
    def _some_price(self) -> PricesConfig:
        if not self.nodes and all(price is None for price in (self.cpu_hour, self.gpu_hour, self.memory_gb_hour)):
            raise ValueError("give a price: cpu_hour, gpu_hour, memory_gb_hour, or nodes")
        return self


@dataclass(frozen=True)
class MetricsConfig:
    """Metrics of a run: what is measured, and where it is stored.

    Attributes:
        enabled: Enable metrics.
        output_path: Folder that the metrics are written to.
        collect_custom_metrics: Keep what operators report with `Operator.report` in the `custom_metrics` column.
        write_on_completion: Write the metrics during the run and when it ends; when false, only
            `Executor.write_metrics` writes them, without samples over time.
        flush_interval: Seconds from one write to the next, and length of the intervals of samples: what a kill costs.
        node_interval: Seconds from one sample of every node (CPU, memory, disk …) to the next; 0 or null takes none.
        text_column: Column whose bytes of text are counted, in and out of every operator.
        token_column: Column that holds the number of tokens of each record, such as that of `token_count_refiner`;
            tokens are then counted in and out of every operator.
        column_statistics: Measure the columns of the output: nulls, distinct values, quantiles, in the table `columns`.
        score_histograms: Keep the distribution of the scores that filters compare to thresholds, for `mdf whatif`.
        slice_by: What pass rates, reasons and errors are also counted by: names of columns, `source_file()` or
            `domain(url)`, which is the host of the URL in a column.
        max_slices: Slices of each that have rows of their own, the heaviest; the others are one row.
        redact: Keys of this file whose values are kept out of the metrics, beside those that look secret: patterns with
            `*`.
        retention: Which runs stay in the folder.
        generate_report: Write the HTML report of the run beside its metrics, in `reports/`, when `mdf run` has ended.
        prices: Prices of CPU, GPU and memory, for the cost of the run.
        prometheus: Metrics for Prometheus during the run.
        otlp: Metrics and a trace for an OpenTelemetry receiver.
        mlflow: The run as a run of MLflow.
        openlineage: Lineage of the run for an OpenLineage server or a file.
        exporters: Exporters of your own.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    enabled: bool = True
    output_path: str = "./metrics"
    collect_custom_metrics: bool = False
    write_on_completion: bool = True
    flush_interval: Annotated[float, Field(ge=0.1)] = 5.0
    node_interval: NodeSeconds | None = 1.0
    text_column: Name = "text"
    token_column: Name | None = None
    column_statistics: bool = True
    score_histograms: bool = True
    slice_by: Annotated[tuple[Name, ...], Field(max_length=8), AfterValidator(_distinct)] = ()
    max_slices: Annotated[int, Field(ge=1, le=1000)] = 50
    redact: tuple[str, ...] = ()
    retention: RetentionConfig = RetentionConfig()  # noqa: RUF009 - frozen
    generate_report: bool = False
    prices: PricesConfig | None = None
    prometheus: PrometheusConfig | None = None
    otlp: OtlpConfig | None = None
    mlflow: MlflowConfig | None = None
    openlineage: OpenLineageConfig | None = None
    exporters: tuple[ExporterConfig, ...] = ()

    def exporter_specs(self) -> list[ExporterSpec]:
        """Return the exporters that are asked for; none if nothing is measured."""
        if not self.enabled:
            return []
        sections = self.prometheus, self.otlp, self.mlflow, self.openlineage
        found = [section.exporter() for section in sections if section]
        for number, own in enumerate(self.exporters):
            found.append(ExporterSpec(("executor", "metrics", "exporters", number), own.name, own.params))
        return found
