"""Lock of a metrics folder, held while files of runs are put together, taken apart or removed."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from mega_data_factory.errors import OutputError
from mega_data_factory.framework.metrics.store.files.layout import PENDING
from mega_data_factory.storage import Location, failure, is_local, join, local_path


@contextlib.contextmanager
def upkeep_lock(path: Location) -> Iterator[None]:
    """Wait until no other process compacts, prunes or takes runs out of a metrics folder, and keep others waiting.

    Readers of this package are exact without it; it is for those who read the folder with a plain glob. It is an
    advisory lock (`flock`), which the kernel frees when the process ends. An object store has none: compact and prune
    it from one place. A folder that does not exist has nothing to lock.

    Raises:
        OutputError: the folder may not be written.
    """
    if not is_local(path) or not local_path(path).is_dir():
        yield
        return
    file = local_path(join(path, PENDING, "lock"))
    try:
        file.parent.mkdir(exist_ok=True)
        descriptor = os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise failure(OutputError, file, error, "write") from error
    try:
        with contextlib.suppress(OSError):  # some shared file systems have no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
