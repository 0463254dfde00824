"""What a stage records of a batch: a row for every operator (`batch_account`, with `changes`) and rejected records.

All rejected records go to the ledger (`reject_rows`), a few of every reason to the samples (`rejected_samples`).
"""
