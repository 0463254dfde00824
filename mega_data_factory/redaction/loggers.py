"""Loggers of this package: no record carries a credential."""

from __future__ import annotations

import logging

from mega_data_factory.redaction import without_credentials


def logger(name: str) -> logging.Logger:
    """Return the logger of a name, whose messages are redacted."""
    found = logging.getLogger(name)
    if not any(isinstance(each, _WithoutCredentials) for each in found.filters):
        found.addFilter(_WithoutCredentials())
    return found


class _WithoutCredentials(logging.Filter):
    """Takes credentials out of message and traceback; lets every record pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean a record."""
        text = record.getMessage()
        clean = without_credentials(text)
        if clean != text:
            record.msg, record.args = clean, None
        if record.exc_info and not record.exc_text:
            record.exc_text = without_credentials(logging.Formatter().formatException(record.exc_info))
        return True
