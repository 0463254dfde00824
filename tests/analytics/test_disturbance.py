"""What other programs did to all operators is not laid to the charge of one."""

from __future__ import annotations

import math

import pytest

from mega_data_factory.analytics.comparison.disturbance import corrected
from mega_data_factory.analytics.comparison.speed import own_verdict
from mega_data_factory.analytics.series.ratio import Ratio


def ratio(change: float, half: float) -> Ratio:
    """Return a ratio whose logarithm is `change`, with an interval of `half` to both sides."""
    return Ratio(*(math.exp(value) for value in (change, change - half, change + half)))


RECORDED = {
    "run_005, identical": ([(0.348, 0.112), (0.088, 0.034), (0.079, 0.036), (0.410, 0.113)], set()),
    "run_013, identical": ([(-0.202, 0.109), (-0.092, 0.030), (-0.112, 0.030), (-0.238, 0.065)], set()),
    "run_008, third slower": ([(0.357, 0.079), (0.099, 0.025), (0.168, 0.029), (0.310, 0.069)], {2}),
    "run_017, third slower": ([(-0.345, 0.128), (0.023, 0.033), (0.112, 0.030), (-0.363, 0.107)], {2}),
}
"""Changes of four operators in pairs of real runs, of which one did 10 % more work or none."""


@pytest.mark.parametrize("name", RECORDED)
def test_pairs_that_were_measured(name: str) -> None:
    """Equal runs on a machine that others used have no slower operator; one that does 10 % more work is found."""
    changes, slower = RECORDED[name]
    found = [own_verdict(own, 0.03) for own in corrected([ratio(*change) for change in changes])]
    assert {at for at, verdict in enumerate(found) if verdict == "slower"} == slower


def test_two_operators_have_nothing_to_be_compared_with() -> None:
    """Of fewer than three it is not known what they have in common."""
    assert corrected([ratio(0.3, 0.1), ratio(0.0, 0.1)]) == [None, None]
    assert own_verdict(None, 0.03) == "unclear"
