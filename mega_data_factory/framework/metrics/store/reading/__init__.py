"""Reading the metrics folder: each run exactly once, its status, percentiles and SQL.

- Which rows count: `stored_tables`, from `single_runs` and `compacted_units`; `skipped_files`, `gaps` of segments.
- Fast reading: `cache`; `conditions` for a part of a table.
- What is asked of them: `status` of a run, `percentiles`, `sql`.
"""
