"""Tests of whole runs on both engines, by what happens to them.

- Nothing: test_deduplication, test_fork_server, test_shapes, test_startup, test_when, test_workers.
- Errors and limits: test_errors, test_full_disk, test_poison, test_record_timeout.
- Killed workers and nodes: test_cluster, test_kills.
- Runs that are stopped, killed and resumed: test_overwriting, test_resume, test_signals_on_ray, test_stopped_runs,
  test_stopping.
- What they leave: test_live_metrics, test_nodes, test_output_columns, test_reject_ledger.
"""
