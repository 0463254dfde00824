"""Counting: what a step was given and gave, as an account.

- Records of every kind: `forms/`.
- What the user's function says while it runs: `calls`; calls on single records, added up: `rows`.
- Each record looked at, by slice and with its reason: `survey/`.
- Records that leave the step since they raised: `set_aside`. Seconds of CPU, of some of the work: `cpu`.
- The sum that travels to the driver: `account`; its bytes: `wire`. A call that travels without one: `single_call`.
"""
