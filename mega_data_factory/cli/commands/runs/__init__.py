"""Commands on runs: `mdf runs`."""
