"""Tests of `exports`, by target.

- Common: test_driving, test_families, test_runs, test_settings.
- OTLP: test_otlp, test_otlp_settings, test_real_otlp_receiver.
- Prometheus and Grafana: test_grafana, test_prometheus, test_pushgateway, test_real_prometheus.
- OpenLineage: test_openlineage.
- MLflow: test_mlflow_names; a real server in `tests/mlflow`.
- Superset: in `tests/superset`.
"""
