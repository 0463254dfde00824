"""Engine on worker processes of this machine.

- In the driver: `engine`, `pool` (workers of a stage), `tasks`, `node`.
- Worker processes, from start to end: `processes/`.
- In a worker process: `worker` (its start), `polars_import`, `jobs`, `roles` (read, run a stage, write),
  `idle_memory` (given back).
- Between them: `messages`, `spool` (tables), `claim_server` (deduplication).
"""
