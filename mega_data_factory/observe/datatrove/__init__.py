"""datatrove: the steps of a pipeline, observed in the processes of its executor."""
