"""Engines move batches through stages: nothing else."""
