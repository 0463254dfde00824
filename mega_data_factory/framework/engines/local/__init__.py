"""Engine on worker processes of this machine."""
