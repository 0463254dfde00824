"""Recording of an observed run: accounts of workers in, metrics files out.

- The run: `recording`; its accounts, collected: `ledger`; added up by `step_sums`.
- Records that raised or were rejected: `set_aside`, `reject_files`.
- Machines: `nodes`. What observing costs: `own_cost`.
- Files that a killed driver left behind are removed by `leftovers`.
"""
