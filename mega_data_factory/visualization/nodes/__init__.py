"""Metrics of nodes between their history and what is made of it: taken in, chosen, put in frames, found out about.

- Taken in: `intake` of `points`, `frame_intake`; `status_words`, `metric_names`.
- Time: `times` as given, `zone` of naive ones, `clocks` of nodes.
- Chosen and found out: `selection`, `queries`, `cluster_moments`.
- Anomalies, correlations, changes and a summary: `analysis/`.
- Shown as rows: `tables`, `frames`, `point_views`.
"""
