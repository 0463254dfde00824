"""Facets of the columns of a run's output: their schema and what is in them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from openlineage.client.facet_v2 import DatasetFacet, data_quality_metrics_dataset, schema_dataset

_QUANTILES = {"p01": "0.01", "p05": "0.05", "p25": "0.25", "p50": "0.5", "p75": "0.75", "p95": "0.95", "p99": "0.99"}

_VALUES = ("number", "time")
"""Kinds of columns whose numbers are values; those of others are lengths, which the facet has no place for."""

Row = Mapping[str, Any]


def column_facets(rows: Sequence[Row], producer: str) -> dict[str, DatasetFacet]:
    """Return the facets `schema` and `dataQualityMetrics` of an output; none if its columns were not measured.

    Args:
        rows: rows of the table `columns`, of one run.
        producer: URI of what made them.
    """
    if not rows:
        return {}
    rows = sorted(rows, key=lambda row: (row["column_index"], row["column_name"]))
    fields = [
        schema_dataset.SchemaDatasetFacetFields(row["column_name"], row["column_type"])
        for row in rows
        if row["kind"] != "other" or row["column_type"] != "null"
    ]
    metrics = {row["column_name"]: _metrics(row) for row in sorted(rows, key=lambda row: row["records"])}
    records = max(row["records"] for row in rows)
    return {
        "schema": schema_dataset.SchemaDatasetFacet(fields, producer=producer),
        "dataQualityMetrics": data_quality_metrics_dataset.DataQualityMetricsDatasetFacet(
            metrics, rowCount=records, producer=producer
        ),
    }


def _metrics(row: Row) -> data_quality_metrics_dataset.ColumnMetrics:
    found = data_quality_metrics_dataset.ColumnMetrics(
        nullCount=row["nulls"], distinctCount=row["distinct_values"], count=float(row["records"])
    )
    if row["kind"] in _VALUES:
        found.min, found.max = _finite(row["minimum"]), _finite(row["maximum"])
        quantiles = {_QUANTILES[name]: _finite(row[name]) for name in _QUANTILES}
        found.quantiles = {share: value for share, value in quantiles.items() if value is not None}
    return found


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
