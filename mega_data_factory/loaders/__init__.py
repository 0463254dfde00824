"""Loaders: one class per file, named in `mega_data_factory.catalogue`; `parsing` has what they share."""
