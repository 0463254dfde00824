"""Tests of observed runs.

- A run and its steps: test_first_use, test_runs, test_steps, test_plain, test_pools, test_views.
- What is counted: test_forms, test_rows, test_signatures, test_slices, test_scores, test_cpu_time, test_reject_ledger.
- Accounts on their way: test_accounts, test_connection, test_executions, test_stage_accounts, test_leftovers.
- Engines: test_engine_folders, and files with the name of an engine; their jobs are in the files without `test_`.
- The manual's guarantees: test_guarantees. What observing costs: test_overhead, test_own_cost.
"""
