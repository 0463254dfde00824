"""Analysis of a history of nodes: anomalies, correlations, changes, a summary. Frames out."""
