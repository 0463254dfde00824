"""Exceptions in workers, as shown to the user."""

from __future__ import annotations

import os
import traceback

from mega_data_factory.errors import InternalError, MdfError
from mega_data_factory.framework.exclusion_text import describe


def as_mdf_error(error: Exception, doing: str) -> MdfError:
    """Ours as it is; any other with what the worker was doing and the line that raised it.

    Args:
        error: what was raised.
        doing: what the worker does, for the message.
    """
    if os.environ.get("MDF_DEBUG"):
        traceback.print_exception(error)
    if isinstance(error, MdfError):
        return error
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return InternalError(
        f"{doing}: {describe(error)} ({frame.filename}:{frame.lineno})",
        hint="set MDF_DEBUG=1 to see the traceback",
    )
