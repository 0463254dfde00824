"""The limits of a container are found wherever control groups of version 2 and version 1 keep them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mega_data_factory.framework.metrics.nodes.probes.cgroup import cpu_limit, memory_limit


def lay(root: Path, groups: str, **files: str) -> Path:
    """A file system with `/proc/self/cgroup` and files below `/sys/fs/cgroup`, `__` standing for `/`."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def assert_limits(root: Path, *, cores: float, seconds: float | None, limit: int, used: int | None) -> None:
    cpu, memory = cpu_limit(root), memory_limit(root)
    assert cpu is not None
    assert memory is not None
    assert (cpu.cores, cpu.seconds()) == (cores, seconds)
    assert (memory.limit, memory.used()) == (limit, used)


def test_version_2_in_a_container(tmp_path: Path) -> None:
    """The group is the mount itself; inactive file cache is not in use."""
    root = lay(
        tmp_path,
        "0::/\n",
        cpu_DOT_max="150000 100000\n",
        cpu_DOT_stat="usage_usec 2500000\nuser_usec 1\n",
        memory_DOT_max="1000\n",
        memory_DOT_current="700\n",
        memory_DOT_stat="anon 5\ninactive_file 200\n",
    )
    assert_limits(root, cores=1.5, seconds=2.5, limit=1000, used=500)


def test_version_2_takes_the_tightest_limit_above(tmp_path: Path) -> None:
    """A limit on a slice holds for the services in it, with what all of them use; `max` is none."""
    root = lay(
        tmp_path,
        "0::/jobs.slice/run.service\n",
        jobs_DOT_slice__cpu_DOT_max="200000 100000",
        jobs_DOT_slice__cpu_DOT_stat="usage_usec 7000000",
        jobs_DOT_slice__memory_DOT_max="4000",
        jobs_DOT_slice__memory_DOT_current="3000",
        jobs_DOT_slice__run_DOT_service__cpu_DOT_max="max 100000",
        jobs_DOT_slice__run_DOT_service__memory_DOT_max="5000",
        jobs_DOT_slice__run_DOT_service__memory_DOT_current="100",
    )
    assert_limits(root, cores=2.0, seconds=7.0, limit=4000, used=3000)


@pytest.mark.parametrize("accounting", ["cpu__docker__x__cpuacct_DOT_usage", "cpuacct__docker__x__cpuacct_DOT_usage"])
def test_version_1(tmp_path: Path, accounting: str) -> None:
    """Quota and usage may be mounted together or apart; time is in nanoseconds there."""
    root = lay(
        tmp_path,
        "5:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n0::/\n",
        cpu__docker__x__cpu_DOT_cfs_quota_us="50000",
        cpu__docker__x__cpu_DOT_cfs_period_us="100000",
        memory__docker__x__memory_DOT_limit_in_bytes="1000",
        memory__docker__x__memory_DOT_usage_in_bytes="900",
        memory__docker__x__memory_DOT_stat="inactive_file 1\ntotal_inactive_file 300",
        **{accounting: "3000000000"},
    )
    assert_limits(root, cores=0.5, seconds=3.0, limit=1000, used=600)


def test_without_limits_there_are_none(tmp_path: Path) -> None:
    """-1 and the largest number of pages in version 1, no files at all, no control groups."""
    root = lay(
        tmp_path / "unlimited",
        "5:cpu:/\n4:memory:/\n",
        cpu__cpu_DOT_cfs_quota_us="-1",
        cpu__cpu_DOT_cfs_period_us="100000",
        memory__memory_DOT_limit_in_bytes="9223372036854771712",
    )
    for place in (root, lay(tmp_path / "bare", "0::/\n"), tmp_path / "nothing"):
        assert cpu_limit(place) is None
        assert memory_limit(place) is None


def test_a_group_that_goes_is_not_known(tmp_path: Path) -> None:
    """What cannot be read any more is None, not zero."""
    root = lay(tmp_path, "0::/\n", cpu_DOT_max="100000 100000", memory_DOT_max="10")
    assert_limits(root, cores=1.0, seconds=None, limit=10, used=None)
