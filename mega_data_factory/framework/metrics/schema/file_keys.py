"""Keys in the metadata of metrics files."""

VERSION_KEY = b"mdf.schema_version"
RUN_ID_KEY = b"mdf.run_id"
MOMENT_KEY = b"mdf.moment"
"""In the files of the three levels of a run in progress: the moment of the snapshot that they hold."""

WRITER_KEY = b"mdf.writer"
"""In the file of a run: an id of its writer, which no other process has."""
