"""Engine on worker processes of this machine.

- In the driver: `engine`, `pool` (workers of a stage), `process` (one worker), `forking` and `interpreter` (its start),
  `tasks`, `node`.
- In the process that workers are forked from: `fork_server`.
- In a worker process: `worker` (its start), `jobs`, `roles` (read, run a stage, write), `main_guard`.
- Between them: `messages`, `spool` (tables), `claim_server` (deduplication).
"""
