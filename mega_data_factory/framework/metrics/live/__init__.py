"""Metrics of a run in progress: flushed, sampled and exported at intervals."""
