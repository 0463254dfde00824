"""History of node metrics: bounded in memory, compressed when sealed, thinned when old, durable when asked.

- All nodes: `metrics_history`, its `reading`, its `limits` and its `retention`; `checks` of new points.
- One node: `node`, the rows of its numbers in a `block`, its texts in `attributes`.
- Series: `series` of one metric, several on one grid by `alignment`, fewer rows for `drawing`.
"""

from mega_data_factory.history.drawing import thinned, with_gaps
from mega_data_factory.history.metrics_history import MetricsHistory
from mega_data_factory.history.retention import HistoryRetention, Tier
from mega_data_factory.history.series import Series

__all__ = ["HistoryRetention", "MetricsHistory", "Series", "Tier", "thinned", "with_gaps"]
