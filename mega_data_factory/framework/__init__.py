"""The run side: configuration, plan, engines, metrics."""
