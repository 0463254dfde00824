"""Parquet modular encryption with one key: every column and the footer, with AES-GCM.

The key is in no file, and without it not even the names of the columns can be read. With the key, the file is read with
pyarrow (`pyarrow.parquet.encryption.create_decryption_properties`) or DuckDB (`PRAGMA add_parquet_key`). A key is for
few files, not for millions: AES-GCM wants a fresh one long before 2^32 pages are encrypted.
Format: https://github.com/apache/parquet-format/blob/master/Encryption.md
"""

from __future__ import annotations

from typing import Any

import pyarrow.parquet.encryption as parquet_encryption

from mega_data_factory.errors import VisualizationError

_LENGTHS = (16, 24, 32)


def encryption_properties(key: str | bytes) -> Any:
    """Return the `encryption_properties` of `pyarrow.parquet.write_table`.

    Args:
        key: 16, 24 or 32 bytes; text is taken as UTF-8.

    Raises:
        VisualizationError: it has another length (the message does not contain it), or pyarrow cannot encrypt with it.
    """
    raw = key.encode() if isinstance(key, str) else bytes(key)
    if len(raw) not in _LENGTHS:
        hint = "such as secrets.token_hex(16), a text of 32 letters"
        raise VisualizationError(f"an AES key has 16, 24 or 32 bytes, this one has {len(raw)}", hint=hint)
    make = getattr(parquet_encryption, "create_encryption_properties", None)
    if make is None:
        raise VisualizationError("this pyarrow cannot encrypt with a key", hint="pip install --upgrade pyarrow")
    return make(raw)
