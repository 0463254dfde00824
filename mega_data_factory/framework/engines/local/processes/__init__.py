"""Worker processes: `process` is one, as the driver sees it.

- Forked, on Linux, from a server (`forking`, `fork_server`), or started by an `interpreter` of their own.
- `main_guard` refuses a pipeline that a worker would start by importing its script.
"""
