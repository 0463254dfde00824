"""Where the time of a run goes: its bottleneck, uneven workers, the order of filters, the cost of measuring."""
