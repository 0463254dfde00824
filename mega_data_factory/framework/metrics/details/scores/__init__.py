"""Scores of rules: those of one operator (`operator_scores`) collect `codes`, in `buckets`, and count them.

- Counts: `tally`; rules that records fail together: `failure_patterns`.
- Names that rules keep from batch to batch: `rule_names`.
"""
