"""Tests of the run side that start no engine, room by room.

- Configuration and plan: test_condition, test_config, test_config_door, test_plan, test_resources.
- Batches and tables: test_batch, test_tables, test_units.
- Worker: test_changes, test_claims, test_quarantine, test_reading, test_reject_rows, test_samples, test_score_meter,
  test_slices, test_stage, test_time_limit, test_warm_up, test_when, test_without_pandas.
- Commit: test_column_measuring, test_commit_log_reading, test_commit_loop, test_folder_lock, test_output.
- Driver: test_accounts, test_books, test_ends, test_places.
- Engines: test_cluster_address, test_dead_workers, test_pool.
"""
