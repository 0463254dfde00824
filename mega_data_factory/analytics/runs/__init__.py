"""Recordings of runs: their metrics, read and added up, as the input of findings and charts."""
