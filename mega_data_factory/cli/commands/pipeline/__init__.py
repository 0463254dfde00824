"""Commands that check a pipeline or run it."""
