"""The DuckDB file that Superset connects to: views in which every run is there once, and what charts need beside."""
