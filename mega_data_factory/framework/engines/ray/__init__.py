"""Engine on a Ray cluster."""
