"""Steps: the user's function, observed, in every shape that an engine calls.

`step` wraps a function, `classes` a class, `blocks` a block of code, `streams` iterators; `outcome` says what became of
the records of a call, `judging` reads judgements and our own operators, `skipping` isolates records that raise.
"""
