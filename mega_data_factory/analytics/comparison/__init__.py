"""Comparison of runs: what differs, how sure that is, and what the difference is made of.

- The comparison on every level: `runs`; the values that it consists of: `differences`, and as JSON `as_json`.
- How sure a difference is: `speed`, `pass_rates`, and `disturbance`, which takes other programs' load out of it.
- What a change of the share kept is made of: `decomposition`, by slice `sliced`.
- What stands beside it: `baselines` (the runs compared with) and `surroundings` (versions, input, machines).
"""

from mega_data_factory.analytics.comparison.differences import Comparison, OperatorDifference, most_changed
from mega_data_factory.analytics.comparison.runs import compare

__all__ = ["Comparison", "OperatorDifference", "compare", "most_changed"]
