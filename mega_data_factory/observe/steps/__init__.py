"""Steps: the user's function, observed, in every shape that an engine calls.

`step` wraps a function by its `spec`, `classes` a class, `blocks` a block of code, `streams` iterators. `work` is one
call, which finds its records by `arguments`; `outcome` says what became of them, `judging` reads judgements and our own
operators, `skipping` isolates records that raise.
"""
