"""Measurement of one machine: processors, memory, disks, network, GPUs, containers, processes of the run."""
