"""The charts of the dashboard: how each type is written down, and which there are."""
