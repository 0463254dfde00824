"""The metrics of runs for other systems: Prometheus, OpenTelemetry, Grafana, Superset.

Exporters that follow a run implement `mega_data_factory.framework.metrics.live.exporting.Exporter`, one file each, and
are loaded by name when a configuration asks for them.
"""
