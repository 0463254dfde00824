"""Rows of metrics, and the values they are made of.

- The row of an operator: `operator`, over its `operator_state`; of a single batch `batch_row`; in a batch on its way
  `travelling`. Records that a later operator lost are taken out of it by `lost_records`.
- The row of an interval: `interval`.
- Values: `fields`, `histogram` of latencies, `reasons` of rejects.
- Added up over workers, and the check of the books: `rollup`, and for tables `table_rollup`.
"""
