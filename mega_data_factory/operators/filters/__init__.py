"""Operators that reject records, each with its reason; one filter per file.

`text_filter` and `word_filter` are their base classes, `language_limits` the limits published for other languages;
`datatrove` has the rules of `flavor: datatrove`.
"""
