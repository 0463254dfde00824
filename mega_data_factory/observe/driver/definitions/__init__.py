"""Definitions of steps: made by `defining`, with `step_options`; their names and order are kept by `defined_steps`."""
