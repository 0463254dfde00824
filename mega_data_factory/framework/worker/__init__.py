"""Work inside a worker process.

- Before the first batch: `warm_up`, `without_pandas`.
- Batches: `reading` makes them; `stage` runs a stage on one, `attempts` and `applying` one operator.
- Counts of a batch, its rejects and samples of them: `accounts/`.
- Details beside the counts: `meters/`.
- Records that kill or stall workers: `quarantine`, `time_limit`.
- Deduplication: `claims` and their `claim_log`.
"""
