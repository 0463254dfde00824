"""Built-in operators: `filters`, `refiners` and `dedup`, one class per file, named in `mega_data_factory.catalogue`.

`text` has what they share about texts, `columns` and `parameters` the rest.
"""
