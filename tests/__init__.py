"""Tests: a folder for each room of the package, and for real programs (`mlflow`, `remote`, `spark`, `superset`).

`made_runs`, `operator_rows`, `fakes`, `processes` and `environments` are what they share.
"""
