"""Superset's configuration for the dashboard of pipeline metrics: its place, its secret, and what SQL may reach.

Environment:
    SUPERSET_SECRET_KEY: signs sessions and encrypts connections; keep it (`openssl rand -base64 42`).
    SUPERSET_HOME: folder of Superset's own database; ~/.superset by default.
"""

import os
import threading
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

SECRET_KEY = os.environ["SUPERSET_SECRET_KEY"]

TALISMAN_CONFIG = {
    "content_security_policy": {
        "base-uri": ["'self'"],
        "default-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "worker-src": ["'self'", "blob:"],
        "connect-src": ["'self'"],
        "object-src": "'none'",
        "style-src": ["'self'", "'unsafe-inline'"],
        "font-src": ["'self'", "data:"],
        "script-src": ["'self'", "'strict-dynamic'"],
    },
    "content_security_policy_nonce_in": ["script-src"],
    "force_https": False,
    "session_cookie_secure": False,
}
"""Pages load nothing from elsewhere: no tracking pixel, no maps, no fonts. Behind TLS set the last two to True."""

ROW_LIMIT = 10_000
SQL_MAX_ROW = 100_000

DISALLOWED_SQL_FUNCTIONS: dict[str, set[str]] = {
    "duckdb": {
        "getenv",
        "glob",
        "parquet_scan",
        "query",
        "query_table",
        "read_blob",
        "read_csv",
        "read_csv_auto",
        "read_json",
        "read_json_auto",
        "read_ndjson",
        "read_parquet",
        "read_text",
        "sniff_csv",
    }
}
"""Functions that reach files or the environment: no query of SQL Lab may call them. Views may, and do."""

_fencing = threading.Lock()


@event.listens_for(Engine, "connect")  # type: ignore[untyped-decorator]  # Superset's SQLAlchemy, not ours
def _fence(connection: Any, _record: Any) -> None:
    """Let a connection to DuckDB read the metrics folder of its views, and nothing else of this machine.

    A read-only file alone does not: SQL could still copy tables to files, attach others, load extensions. DuckDB keeps
    these settings for all connections of a process to one file, and they cannot be changed back. They are set after
    connecting: given as arguments, the second connection would be refused.
    """
    if not type(connection).__module__.startswith("duckdb_engine"):
        return
    with _fencing:
        cursor = connection.cursor()
        if not _value(cursor, "SELECT current_setting('lock_configuration')"):
            known = "SELECT count(*) FROM duckdb_functions() WHERE function_name = 'metrics_folder' AND NOT internal"
            folder = _value(cursor, "SELECT metrics_folder()") if _value(cursor, known) else None
            folders = "" if folder is None else "'" + folder.replace("'", "''") + "/'"
            cursor.execute(f"SET allowed_directories = [{folders}]")
            cursor.execute("SET enable_external_access = false")
            cursor.execute("SET lock_configuration = true")
        cursor.close()


def _value(cursor: Any, query: str) -> Any:
    cursor.execute(query)
    return cursor.fetchone()[0]
