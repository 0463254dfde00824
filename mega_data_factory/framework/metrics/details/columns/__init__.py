"""Columns of the output: their statistics, with a histogram of values and an estimate of distinct ones."""
