"""Files, wherever they are: the one place that opens, finishes, lists and removes them.

A location is a local path (`str` or `Path`; `~` and `file://` are understood) or any fsspec URI (`s3://`, `gs://`,
`memory://` …). A file that is written here is whole or absent. Every failure is an `InputError` or an `OutputError`
that names the location and the reason.
"""

from mega_data_factory.storage.checking import check_folder, check_writable
from mega_data_factory.storage.globs import would_list
from mega_data_factory.storage.listing import FileInfo, list_dir, list_files, list_stamps, stamp_of, stamp_of_stat
from mega_data_factory.storage.location import (
    Location,
    absolute,
    failure,
    file_system,
    is_local,
    join,
    local_name,
    local_path,
)
from mega_data_factory.storage.parquet import open_parquet, parquet_dataset, parquet_in_memory, read_parquet
from mega_data_factory.storage.reading import (
    exists,
    is_folder,
    open_input,
    read_beginning,
    read_bytes,
    resume_behind_damage,
    size,
)
from mega_data_factory.storage.writing import atomic_output, move, remove, remove_all, remove_tree

__all__ = [
    "FileInfo",
    "Location",
    "absolute",
    "atomic_output",
    "check_folder",
    "check_writable",
    "exists",
    "failure",
    "file_system",
    "is_folder",
    "is_local",
    "join",
    "list_dir",
    "list_files",
    "list_stamps",
    "local_name",
    "local_path",
    "move",
    "open_input",
    "open_parquet",
    "parquet_dataset",
    "parquet_in_memory",
    "read_beginning",
    "read_bytes",
    "read_parquet",
    "remove",
    "remove_all",
    "remove_tree",
    "resume_behind_damage",
    "size",
    "stamp_of",
    "stamp_of_stat",
    "would_list",
]
