"""Meters of what a stage sees of its records beside counting them: of scores and of slices."""
