"""Terminal output of the commands: tables, summaries, live progress."""
