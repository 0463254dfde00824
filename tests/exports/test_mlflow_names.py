"""Names and values that MLflow takes."""

from __future__ import annotations

import re

from mega_data_factory.exports.cardinality import Bounds
from mega_data_factory.exports.mlflow.names import metrics_of, parameters_of
from mega_data_factory.framework.metrics import OperatorMetrics
from tests.exports.snapshots import NOW, operator, snapshot


def test_metrics_have_their_place_in_the_name() -> None:
    """Counts of run, stage and operator, the latter over all workers, with reasons and custom numbers."""
    rows = [operator("a", "clean-0"), operator("a", "clean-1")]
    rows[0].custom_metrics = {"tokens": 5, "note": "text", "bad": float("nan")}
    found = metrics_of(snapshot(rows), Bounds())
    assert found["records_in"] == 4000.0
    assert found["stage/clean/records_in"] == 4000.0
    assert found["operator/clean/a/records_in"] == 4000.0
    assert found["operator/clean/a/records_unmatched"] == 160.0
    assert found["operator/clean/a/rejected/too_short"] == 280.0
    assert found["operator/clean/a/custom/tokens"] == 5.0
    assert not [name for name in found if "note" in name or "bad" in name or "created" in name]


def test_created_records_are_a_metric_where_there_are_some() -> None:
    """Of the operators and stages that have them."""
    rows = [operator("a"), operator("b", index=1)]
    rows[0].observe(1.0, 10, 30, created_records=20)
    found = metrics_of(snapshot(rows), Bounds())
    assert {name: value for name, value in found.items() if "created" in name} == {
        "stage/clean/records_created": 20.0,
        "operator/clean/a/records_created": 20.0,
    }


def test_no_name_is_refused_by_mlflow() -> None:
    """Characters that MLflow does not allow become underscores; names stay within its limit."""
    row = OperatorMetrics("run_1", "stufe 1 | ä", "Op<é>" * 60, "w", NOW)
    row.observe(1.0, 10, 9, reasons={"zu kurz? ja!": 1})
    names = metrics_of(snapshot([row]), Bounds())
    assert all(re.fullmatch(r"[A-Za-z0-9_\-. /:]{1,250}", name) for name in names)


def test_a_configuration_is_flat_and_its_lists_are_named() -> None:
    """Members of lists are named where each has a name of its own, else numbered; values are texts as JSON has them."""
    config = {
        "name": "demo",
        "stages": [
            {"name": "clean", "operators": [{"name": "a", "params": {"min": 1}}, {"name": "a", "params": {"min": 2}}]}
        ],
        "executor": {"metrics": {"redact": ["x", "y"], "enabled": True}, "note": None},
    }
    assert parameters_of(config) == {
        "name": "demo",
        "stages.clean.operators.0.params.min": "1",
        "stages.clean.operators.1.params.min": "2",
        "stages.clean.operators.0.name": "a",
        "stages.clean.operators.1.name": "a",
        "executor.metrics.redact": '["x", "y"]',
        "executor.metrics.enabled": "true",
        "executor.note": "null",
    }
