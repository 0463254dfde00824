"""Details: small mergeable summaries that a batch carries beside its operator rows.

- The contract: `detail`; kinds by table: `kinds`; sums of a run: `totals`.
- Scores of the rules of filters: `scores/`.
- Columns of the output: `columns/`.
- Slices of the records: `slices`, `slice_counts`.
- Equal numbers, counted: `sorted_counts`.
"""
