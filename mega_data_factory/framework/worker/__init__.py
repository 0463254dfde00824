"""Work inside a worker process: reading, running a stage, setting records aside, claims."""
