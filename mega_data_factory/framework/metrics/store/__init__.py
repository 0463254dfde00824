"""The metrics folder.

`files`: names, encoding and listings of single files; `segments`: writing a run in progress; `reading`: reading every
run exactly once. Merging and removing runs is the task of `metrics.upkeep`.
"""
