"""Counts of batches, stages and runs inside the `with` blocks of a collector.

- Blocks: `tracker` of an operator, with `assignable` counts and `operator_stats`; `stage_tracker`; `run_totals`.
- What a collector keeps: `operator_rows`, `uncommitted`, `stage_rows`, `run_times`; `entries` are given to it.
- What measuring costs here: `own_cost`.
- Checks: `accounts` of counts, `row_checks` of rows; `in_process` objects are not copied.
"""
