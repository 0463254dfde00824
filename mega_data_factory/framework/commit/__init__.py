"""Commit of finished batches: output files, the commit log, the lock on a run."""
