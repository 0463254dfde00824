"""Recordings of runs: their metrics, read and added up, as the input of findings and charts.

- A run as one value: `recording`; the runs before it: `earlier_runs`.
- Added up over workers: `adding_up`, `totals`, `custom_metrics`, `latency`.
- Records on their way: `flow`, `rejects`, by value of a column `slices`, and between two runs `exits`.
- One record: `trace`, which looks for it in `record_files`.
- Over time: `series`.
"""
