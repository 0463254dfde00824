"""The import bundle: one zip of YAML with a database, datasets, charts and a dashboard, the same bytes every time."""

from __future__ import annotations

import re
import uuid
import zipfile
from collections.abc import Mapping
from typing import Any

import yaml

from mega_data_factory import storage
from mega_data_factory.exports.superset.charts.chart import Chart
from mega_data_factory.exports.superset.charts.contents import CHARTS
from mega_data_factory.exports.superset.dashboard import SLUG, TITLE, layout, metadata
from mega_data_factory.exports.superset.datasets import DATASETS, Dataset, Metric, column_label
from mega_data_factory.exports.superset.views.file import columns_of
from mega_data_factory.storage import Location

DATABASE = "Pipeline metrics (DuckDB)"

_VERSION = "1.0.0"
"""Of Superset's bundle format."""

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:mega-data-factory:superset")
"""Names make identities, so that importing again meets the same objects."""

_EPOCH = (2026, 1, 1, 0, 0, 0)
"""Date of every file in the zip, which says nothing about when it was made."""


def identity(kind: str, name: str) -> str:
    """Return the UUID of a database, dataset, chart or dashboard."""
    return str(uuid.uuid5(_NAMESPACE, f"{kind}/{name}"))


def write_bundle(output: Location, uri: str) -> None:
    """Write the bundle.

    Args:
        output: the zip file.
        uri: SQLAlchemy's name of the views file, on the machine of Superset.

    Raises:
        OutputError: it cannot be written.
    """
    with storage.atomic_output(output) as sink, zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in documents(uri).items():
            text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
            archive.writestr(zipfile.ZipInfo(f"pipeline_metrics/{name}", _EPOCH), text, zipfile.ZIP_DEFLATED)


def documents(uri: str) -> dict[str, dict[str, Any]]:
    """Return the YAML documents of the bundle by path."""
    columns = columns_of(each.name for each in DATASETS)
    folder = _file_name(DATABASE)
    return {
        # Without a `type` every way of importing takes it.
        "metadata.yaml": {"version": _VERSION, "timestamp": "2026-01-01T00:00:00+00:00"},
        f"databases/{folder}.yaml": _database(uri),
        **{f"datasets/{folder}/{each.name}.yaml": _dataset(each, columns[each.name]) for each in DATASETS},
        **{f"charts/{_file_name(chart.title)}.yaml": _chart(chart) for chart in CHARTS},
        f"dashboards/{_file_name(TITLE)}.yaml": _dashboard(columns),
    }


def _file_name(title: str) -> str:
    return re.sub(r"\W+", "_", title).strip("_")


def _database(uri: str) -> dict[str, Any]:
    return {
        "database_name": DATABASE,
        "sqlalchemy_uri": uri,
        "cache_timeout": None,
        "expose_in_sqllab": True,
        "allow_run_async": False,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "allow_file_upload": False,  # left out it would be allowed
        "extra": {"allows_virtual_table_explore": True},
        "uuid": identity("database", DATABASE),
        "version": _VERSION,
    }


def _dataset(dataset: Dataset, columns: Mapping[str, str]) -> dict[str, Any]:
    return {
        "table_name": dataset.name,
        "main_dttm_col": dataset.time,
        "description": dataset.description,
        "schema": None,
        "catalog": None,
        "sql": None,
        "params": None,
        "cache_timeout": None,
        "filter_select_enabled": True,
        "offset": 0,
        "template_params": None,
        "fetch_values_predicate": None,
        "extra": None,
        "normalize_columns": False,
        "always_filter_main_dttm": False,
        "uuid": identity("dataset", dataset.name),
        "database_uuid": identity("database", DATABASE),
        "version": _VERSION,
        "metrics": [_metric(metric) for metric in dataset.metrics],
        "columns": [_column(name, kind, dataset.name) for name, kind in columns.items()],
    }


def _metric(metric: Metric) -> dict[str, Any]:
    return {
        "metric_name": metric.name,
        "verbose_name": metric.label,
        "metric_type": None,
        "expression": metric.expression,
        "description": metric.description,
        "d3format": metric.format,
        "extra": {},
        "warning_text": None,
    }


def _column(name: str, kind: str, dataset: str) -> dict[str, Any]:
    return {
        "column_name": name,
        "verbose_name": column_label(name, dataset),
        "is_dttm": kind == "TIMESTAMP",
        "is_active": True,
        "type": kind,
        "advanced_data_type": None,
        "groupby": True,
        "filterable": True,
        "expression": None,
        "description": None,
        "python_date_format": None,
        "extra": {},
    }


def _chart(chart: Chart) -> dict[str, Any]:
    return {
        "slice_name": chart.title,
        "description": chart.description,
        "certified_by": None,
        "certification_details": None,
        "viz_type": chart.kind,
        "params": chart.form,
        "query_context": chart.query_context,
        "cache_timeout": None,
        "uuid": identity("chart", chart.title),
        "version": _VERSION,
        "dataset_uuid": identity("dataset", chart.dataset),
    }


def _dashboard(columns: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    datasets = {each.name: identity("dataset", each.name) for each in DATASETS}
    return {
        "dashboard_title": TITLE,
        "description": "What pipelines did, from the metrics that they write.",
        "css": "",
        "slug": SLUG,
        "certified_by": "",
        "certification_details": "",
        "published": True,
        "uuid": identity("dashboard", SLUG),
        "version": _VERSION,
        "position": layout({chart.title: identity("chart", chart.title) for chart in CHARTS}),
        "metadata": metadata(datasets, columns),
    }
