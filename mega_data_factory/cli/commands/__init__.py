"""Commands of `mdf`, one per file under its own name; `upkeep` holds `mdf metrics compact` and `mdf metrics prune`.

Each has a function that takes the parsed options, prints, and returns the exit status. Options and help texts are in
`cli/mdf_app.py` and `cli/metrics_app.py`; what several commands share is in the folder above.
"""
