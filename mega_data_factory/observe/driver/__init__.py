"""The driver's side of an observed run: the handle, the ledger of accounts, the metrics files, the nodes.

`run` is the handle that users hold, `settings` what they choose; `defining` makes steps, `defined_steps` keeps their
names and order; `recording` collects accounts into the `ledger` and writes metrics; `set_aside` writes
records that raised or were rejected; `nodes` samples machines; `open_runs` and `notebook` end runs without a `with`
block. `checking` refuses wrong arguments; `step_sums` adds accounts up, `own_cost` the cost of observing; `leftovers`
removes files of killed drivers.
"""
