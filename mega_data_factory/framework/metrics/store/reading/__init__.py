"""Reading the metrics folder: each run exactly once, its status, percentiles and SQL."""
