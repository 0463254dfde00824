"""Work inside a worker process.

- Before the first batch: `warm_up`, `without_pandas`.
- Batches: `reading` makes them; `stage` runs a stage on one, `attempts` and `applying` one operator;
  `batch_account` counts.
- Records that do not pass: `rejected_samples`, `reject_rows`; those that kill or stall workers: `quarantine`,
  `time_limit`.
- Details beside the counts: `meters`, of scores `score_meter`, of slices `slice_meter`.
- Deduplication: `claims` and their `claim_log`.
"""
