"""`python -m mega_data_factory.cli` is `mdf`."""

from __future__ import annotations

from mega_data_factory.cli import command

command()
