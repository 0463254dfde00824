"""Commands of `mdf`, one module per command."""
