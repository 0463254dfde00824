"""Writes the folder `compacted` beside this script: units as they were before they went to the folders of the tables.

Run with a checkout of that time: `PYTHONPATH=OLD_CHECKOUT python write_compacted.py`. Kept as it was then. Runs of
versions 0 and 3 are in one unit.
"""

import shutil
from datetime import datetime
from pathlib import Path

from mega_data_factory.framework.metrics import compact, schema

assert schema.SCHEMA_VERSION == 4, "this writes files of version 4: take the package of that time"

here = Path(__file__).parent
for version in (0, 3):
    shutil.copytree(here / f"version_{version}", here / "compacted", dirs_exist_ok=True)
compact(here / "compacted", now=lambda: datetime(2027, 1, 1))
