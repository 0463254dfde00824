"""MLflow: parameters, metrics, history and the report of a run."""
