"""Commands of `mdf`, one per file under its own name.

| commands | folder |
|---|---|
| `run`, `plan`, `validate`, `operators` | `pipeline/` |
| `runs …`: `list_and_show`, `compare`, `gate`, `cost`; parts of `runs show`: `slices`, `output_columns` | `runs/` |
| `rejects`, `trace`, `whatif` | `records/` |
| `report`, `plot`, `dashboard`, `nodes` | `views/` |
| `metrics …`: `sql`, `schema`; `upkeep` holds `compact` and `prune` | `metrics/` |
| `export …` | `export.py` |

Each has a function that takes the parsed options, prints, and returns the exit status. Options and help texts are in
`cli/mdf_app.py` and `cli/metrics_app.py`; what several commands share is in the folder above.
"""
