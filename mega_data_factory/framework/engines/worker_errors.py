"""Exceptions in workers, as shown to the user."""

from __future__ import annotations

import os
import traceback

from mega_data_factory.errors import InternalError, MdfError
from mega_data_factory.redaction import described


def as_mdf_error(error: Exception, role: str) -> MdfError:
    """Return an error for the user: an `MdfError` as it is, any other with the worker's role and the line that raised.

    Args:
        error: what was raised.
        role: of the worker, for the message, such as "stage `judge`".
    """
    if os.environ.get("MDF_DEBUG"):
        traceback.print_exception(error)
    if isinstance(error, MdfError):
        return error
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return InternalError(
        f"{role}: {described(error)} ({frame.filename}:{frame.lineno})",
        hint="set MDF_DEBUG=1 to see the traceback",
    )
