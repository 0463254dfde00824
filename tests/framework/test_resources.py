"""A plan fits or it does not, and what does not is said before anything starts."""

from __future__ import annotations

from typing import Any

import pytest

from mega_data_factory.errors import ResourceError
from mega_data_factory.framework.config.pipeline import PipelineConfig
from mega_data_factory.framework.driver.resources import Machine, check_fit, cpu_share, this_machine
from mega_data_factory.framework.plan import Plan, make_plan
from tests.framework.making import HERE, pipeline


def plan(*workers: dict[str, Any], engine: str = "ray") -> Plan:
    operators = [{"name": f"{HERE}:Long"}]
    stages = [{"name": f"s{i}", "operators": operators, "worker": worker} for i, worker in enumerate(workers)]
    return make_plan(PipelineConfig.from_dict(pipeline(stages=stages, executor={"engine": engine})))


def worker(replicas: int = 1, **resources: Any) -> dict[str, Any]:
    return {"num_replicas": replicas, "resources": resources}


def test_this_machine_fits_a_small_plan() -> None:
    """A machine offers the cores that this process may use, and its memory."""
    assert this_machine().cpu >= 1
    assert this_machine().memory > 2**20
    check_fit(plan({}, engine="local"), this_machine())


def test_silent_workers_share_what_is_left() -> None:
    """Who does not say how much CPU it needs gets an equal share, at most 1, beside Ray Data's own core."""
    assert cpu_share(plan(worker(3)), 100) == 1.0
    assert cpu_share(plan(worker(3)), 3) == 0.5  # reader and three workers share two cores
    assert cpu_share(plan(worker(2, cpu=1)), 4) == 1.0
    assert cpu_share(plan(worker(2, cpu=9)), 4) == 0.0


@pytest.mark.parametrize("cpus", [2, 3, 5, 7, 11, 64])
def test_silent_workers_always_fit(cpus: int) -> None:
    """Shares are rounded down, so that they never ask for more than there is."""
    check_fit(plan(worker(6), worker(7)), Machine(cpus))


def test_local_workers_share_cores_but_not_gpus() -> None:
    """On one machine all workers may be more than the cores, one worker may not, and GPUs are not shared."""
    check_fit(plan(worker(50, cpu=2), engine="local"), Machine(2))
    with pytest.raises(ResourceError, match=r"stage `s0` \(3 CPU\)"):
        check_fit(plan(worker(1, cpu=3), engine="local"), Machine(2))
    with pytest.raises(ResourceError, match="there is 8 CPU, 1 GPU") as refusal:
        check_fit(plan(worker(2, gpu=1), engine="local"), Machine(8, gpu=1))
    assert "engine: ray" in str(refusal.value.hint)


def test_memory_is_reserved() -> None:
    """Memory of all the smallest pools together must be there."""
    check_fit(plan(worker(2, memory="1GiB"), engine="local"), Machine(8, memory=2**31))
    with pytest.raises(ResourceError, match=r"0 CPU, 3\.0 GiB memory in all, there is 8 CPU, 2\.0 GiB"):
        check_fit(plan(worker(3, memory="1GiB"), engine="local"), Machine(8, memory=2**31))


def test_a_worker_fits_on_one_node_or_nowhere() -> None:
    """Four CPUs on two nodes are no place for a worker of three."""
    with pytest.raises(ResourceError, match="on 2 nodes"):
        check_fit(plan(worker(1, cpu=3)), [Machine(2), Machine(2)])
    check_fit(plan(worker(1, cpu=3)), [Machine(4), Machine(1)])


def test_the_choosiest_worker_is_placed_first() -> None:
    """A large worker that runs anywhere does not take the node that a small one needs for its custom resource."""
    nodes = [Machine(4, custom={"db": 1}), Machine(5)]
    check_fit(plan(worker(1, cpu=4), worker(1, cpu=1, custom={"db": 1})), nodes)
    check_fit(plan(worker(1, cpu=4), worker(1, cpu=1, custom={"db": 1})), nodes[::-1])
    with pytest.raises(ResourceError, match=r"1 db"):
        check_fit(plan(worker(2, custom={"db": 1})), nodes)


def test_only_the_smallest_pool_must_fit() -> None:
    """An elastic pool starts when its minimum fits."""
    check_fit(plan({"min_replicas": 1, "max_replicas": 500, "resources": {"cpu": 1}}), Machine(4))


def test_ray_keeps_a_core_for_itself() -> None:
    """A cluster that its workers would fill to the last core is too small."""
    with pytest.raises(ResourceError, match="no room"):
        check_fit(plan(worker(4, cpu=1)), Machine(4))
