"""Operator rows for tests of metrics."""

from mega_data_factory.framework.metrics import OperatorMetrics


def row(operator="filter", worker="w0", records=100, passed=90, seconds=1.0, **more):
    names = {"run_id": "run_test", "stage_name": "stage_0", "operator_name": operator, "worker_id": worker}
    return OperatorMetrics(**names | {"input_records": records, "output_records": passed, "total_time": seconds} | more)
