"""Trackers of the `with` blocks of a collector: counts of batches, stages and runs, checked and merged."""
