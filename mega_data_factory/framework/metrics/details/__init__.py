"""Details: small mergeable summaries that a batch carries beside its operator rows.

- The contract: `detail`; kinds by table: `kinds`; sums of a run: `totals`.
- Scores of rules: `scores`, which collects codes (`score_codes`, `score_buckets`) and counts them (`score_tally`,
  `failure_patterns`, `sorted_counts`) by `rule_names`.
- Slices: `slices`, `slice_counts`.
- Columns of the output: `columns`, `value_histogram`, `distinct_count`.
"""
