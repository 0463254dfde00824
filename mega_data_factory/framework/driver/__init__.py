"""The driver process of a run.

- A run from start to end: `session`, `resuming`, `places`, `resources`, `unfinished`.
- What it is to read: `splits`, `source_share`.
- What it counts: `accounts`, `books`, `tally`, `progress`, `error_policy`.
- What it writes as metrics: `recorder`, `run_columns`.
"""
