"""Bookkeeping of the driver process: totals, progress, checks of the books, resuming."""
