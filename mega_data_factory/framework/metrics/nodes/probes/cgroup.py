"""CPU and memory limits of a container: control groups, version 2 and version 1.

Sources: https://docs.kernel.org/admin-guide/cgroup-v2.html ("cpu.max", "cpu.stat", "memory.max", "memory.current") and
https://docs.kernel.org/admin-guide/cgroup-v1/memory.html, with the scheduler's `cpu.cfs_quota_us` and `cpuacct.usage`.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

_UNLIMITED = 1 << 60
"""Version 1 writes the largest number of pages if there is no limit; no machine has that many bytes."""


class CpuLimit:
    """A limit on CPU time.

    Args:
        cores: how many cores' time may be used.
        usage: the file that says how much CPU time was used so far.
        key: the key of it there; None if the file holds nothing else.
        unit: seconds that 1 stands for there.

    Attributes:
        cores: the same.
    """

    def __init__(self, cores: float, usage: Path, key: str | None, unit: float) -> None:
        self.cores = cores
        self._usage = usage
        self._key = key
        self._unit = unit

    def seconds(self) -> float | None:
        """Return CPU seconds used by the group since it was made; None when that cannot be read now."""
        text = _text(self._usage)
        used = _number(text) if self._key is None else _keyed(text or "", self._key)
        return None if used is None else used * self._unit


class MemoryLimit:
    """A limit on memory.

    Args:
        limit: bytes that may be used.
        usage: the file that says how much is in use.
        statistics: the file that says how much of it is file cache.
        inactive: the key there of cache that the kernel gives back before anything else.

    Attributes:
        limit: the same.
    """

    def __init__(self, limit: int, usage: Path, statistics: Path, inactive: str) -> None:
        self.limit = limit
        self._usage = usage
        self._statistics = statistics
        self._inactive = inactive

    def used(self) -> int | None:
        """Return bytes in use without inactive file cache, the working set of Kubernetes; None if it cannot be read."""
        usage = _number(_text(self._usage))
        if usage is None:
            return None
        cache = _keyed(_text(self._statistics) or "", self._inactive) or 0
        return max(0, int(usage - cache))


def cpu_limit(root: Path = Path("/")) -> CpuLimit | None:
    """Return the tightest limit on CPU time of this process's control groups; None if there is none.

    Args:
        root: what stands for `/`.
    """
    found = [limit for folder in _folders(root, "cpu") if (limit := _cpu_limit(folder, root)) is not None]
    return min(found, key=lambda limit: limit.cores, default=None)


def memory_limit(root: Path = Path("/")) -> MemoryLimit | None:
    """Return the tightest limit on memory of this process's control groups; None if there is none.

    Args:
        root: what stands for `/`.
    """
    found = [limit for folder in _folders(root, "memory") if (limit := _memory_limit(folder)) is not None]
    return min(found, key=lambda limit: limit.limit, default=None)


def _cpu_limit(folder: Path, root: Path) -> CpuLimit | None:
    if (text := _text(folder / "cpu.max")) is not None:
        quota, _, period = text.partition(" ")
    else:
        quota, period = _text(folder / "cpu.cfs_quota_us") or "", _text(folder / "cpu.cfs_period_us") or ""
    allowed, each = _number(quota), _number(period)
    if allowed is None or not each or allowed <= 0:  # "max" in version 2, -1 in version 1
        return None
    if text is not None:
        return CpuLimit(allowed / each, folder / "cpu.stat", "usage_usec", 1e-6)
    return CpuLimit(allowed / each, _accounting_of(folder, root) / "cpuacct.usage", None, 1e-9)


def _accounting_of(folder: Path, root: Path) -> Path:
    """Return the file of a group's CPU time in version 1: beside the quota, or below a mount of its own."""
    if (folder / "cpuacct.usage").exists():
        return folder
    mount = root / "sys/fs/cgroup"
    return mount / "cpuacct" / folder.relative_to(mount / "cpu")


def _memory_limit(folder: Path) -> MemoryLimit | None:
    if (text := _text(folder / "memory.max")) is not None:
        usage, inactive = "memory.current", "inactive_file"
    else:
        text = _text(folder / "memory.limit_in_bytes") or ""
        usage, inactive = "memory.usage_in_bytes", "total_inactive_file"
    limit = _number(text)
    if limit is None or not 0 < limit < _UNLIMITED:
        return None
    return MemoryLimit(int(limit), folder / usage, folder / "memory.stat", inactive)


def _folders(root: Path, controller: str) -> list[Path]:
    """Return the groups of this process, its own first, up to the root: a limit may be set on any of them.

    Inside a container the path that `/proc/self/cgroup` names may be one of the host, which is not mounted here: then
    the mount itself is the container's group.
    """
    found = []
    mount = root / "sys/fs/cgroup"
    for line in (_text(root / "proc/self/cgroup") or "").splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if number == "0":
            top = mount
        elif controller in names.split(","):
            top = mount / controller
        else:
            continue
        group = PurePosixPath(path.lstrip("/"))
        folders = [top / part for part in (group, *group.parents)]
        found += [folder for folder in dict.fromkeys(folders) if folder.is_dir()]
    return found


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError:  # another version of control groups, none at all, or the group was removed
        return None


def _keyed(text: str, key: str) -> float | None:
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return _number(value)
    return None


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:  # "max"
        return None
