"""Lineage of runs for OpenLineage: which job read which datasets, wrote which, and what became of the records."""
