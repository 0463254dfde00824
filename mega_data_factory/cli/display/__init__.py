"""What the commands print on a terminal: tables, summaries, live progress."""
