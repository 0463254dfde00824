"""Superset: an import bundle with a dashboard, and the DuckDB file through which it reads metrics as they are now."""

from mega_data_factory import extras

with extras.needed_by("the export to Superset"):
    from mega_data_factory.exports.superset.bundle import write_bundle
    from mega_data_factory.exports.superset.setup_files import write_setup
    from mega_data_factory.exports.superset.views.file import uri_of, write_views

__all__ = ["uri_of", "write_bundle", "write_setup", "write_views"]
