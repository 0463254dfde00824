"""The driver's side of an observed run.

- The handle that users hold: `run`, or `run_in_worker` in a process that has none; what they choose: `settings`;
  wrong arguments are refused by `checking`.
- The steps that they define: `definitions/`.
- The run as metrics files: `recording/`.
- Runs without a `with` block are ended by `open_runs` and, in notebooks, by `notebook`.
"""
