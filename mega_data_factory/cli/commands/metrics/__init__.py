"""Commands on the metrics folder: `mdf metrics`."""
