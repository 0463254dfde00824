"""Tests of `framework/metrics`, room by room.

- Rows: test_histogram, test_merging, test_percentiles, test_rollup, test_size, test_table_rollup, test_travelling_rows.
- Details: test_column_statistics, test_details.
- Tracking: test_accounts, test_bounded_reasons, test_collecting, test_cpu_time, test_created, test_retried_batches,
  test_tracking_stages, test_uncommitted.
- Aggregation over workers: test_aggregating, test_several_workers.
- During a run: test_flushing, test_one_moment, test_samples.
- Nodes: test_cgroups, test_node_rows, test_node_sampling.
- Store, writing: test_gaps, test_plain_globs, test_versions, test_writing.
- Store, reading: test_damaged_files, test_reader, test_remembering, test_row_cache, test_selecting.
- Upkeep: test_compacting, test_retention.
- Secrets: test_redaction, test_secrets.
- Manual: test_readme.
"""
