"""The run side: configuration, plan, engines, metrics.

- A run from the outside: `executor`.
- What a pipeline is: `contracts` of its parts, `rowwise` bases for one record at a time, `registry` of names, `plan`.
- What moves: `batch`, as bytes `parcel`; `tables` and `exclusion_text` help with its records.
- What is measured of records: `scoring` by rules, `units` beside their number, `slice_columns`.
"""
