"""Details: small mergeable summaries that a batch carries beside its operator rows.

- The contract: `detail`; kinds by table: `kinds`; sums of a run: `totals`.
- Scores of rules: `scores`, `score_buckets`.
- Slices: `slices`, `slice_counts`.
- Columns of the output: `columns`, `value_histogram`, `distinct_count`.
"""
