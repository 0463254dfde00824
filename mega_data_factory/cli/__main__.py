"""`python -m mega_data_factory.cli` is `mdf`."""

from __future__ import annotations

import sys

from mega_data_factory.cli import main

sys.exit(main())
