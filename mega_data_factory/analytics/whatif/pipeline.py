"""The whole pipeline at other thresholds: what becomes, in later operators, of records that change sides in one."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mega_data_factory.analytics.runs.totals import OperatorTotals
from mega_data_factory.analytics.whatif.estimate import Estimate
from mega_data_factory.analytics.whatif.operators import Exchange

SELECTION = 2.0
"""How much the odds of passing later operators may differ between the records that change sides and all others: by a
factor of e to this power, 7.4, either way. Chosen on half of the scenarios of `benchmarks/whatif.py`, checked on the
other half."""

_NORMAL = 1.96
"""Standard deviations on either side of the mean that hold 95 % of a normal distribution."""


@dataclass(frozen=True)
class Outcome:
    """Records that the pipeline would pass.

    Attributes:
        likely: The best number, and an interval that holds the true one in 95 of 100 cases.
        bounds: Least and greatest number that is possible.
    """

    likely: Estimate
    bounds: Estimate

    def as_dict(self) -> dict[str, int]:
        """Return whole numbers by name."""
        bounds = self.bounds.as_dict()
        return {**self.likely.as_dict(), "at_least": bounds["low"], "at_most": bounds["high"]}


@dataclass(frozen=True)
class Later:
    """What follows an operator.

    Attributes:
        entering: Records that it passes on now.
        leaving: Records that leave the pipeline's last operator now.
        drops: Whether an operator that follows can drop a record at all.
    """

    entering: int
    leaving: int
    drops: bool

    def surviving_gain(self, gain: Estimate) -> Outcome:
        """Return how many records that are added would pass all that follows."""
        if not self.drops:
            return Outcome(gain, gain)
        if not self.entering:  # what follows has judged no record
            unknown = Estimate(gain.value, 0, gain.high)
            return Outcome(unknown, unknown)
        return Outcome(self._likely(gain), Estimate(self._rate() * gain.value, 0, gain.high))

    def surviving_loss(self, loss: Estimate) -> Outcome:
        """Return how many records that are taken away would have passed all that follows."""
        if not self.drops:
            return Outcome(loss, loss)
        dropped = max(0, self.entering - self.leaving)
        bounds = Estimate(self._rate() * loss.value, max(0.0, loss.low - dropped), min(loss.high, self.leaving))
        return Outcome(self._likely(loss).within(bounds.low, bounds.high), bounds)

    def _rate(self) -> float:
        return min(1.0, self.leaving / self.entering) if self.entering else 1.0

    def _likely(self, records: Estimate) -> Estimate:
        """Return how many of the records pass if they do as all others do, but for `SELECTION` and chance."""
        rate = (self.leaving + 0.5) / (self.entering + 1) if self.leaving <= self.entering else 0.999
        odds = math.log(rate / (1 - rate))
        least, most = (1 / (1 + math.exp(-odds + shift)) for shift in (SELECTION, -SELECTION))
        low = records.low * least - _NORMAL * math.sqrt(records.low * least * (1 - least))
        high = records.high * most + _NORMAL * math.sqrt(records.high * most * (1 - most))
        return Estimate(self._rate() * records.value, max(0.0, low), min(records.high, math.ceil(high)))


def later_than(place: int, operators: Sequence[OperatorTotals], judging: Collection[tuple[str, str]]) -> Later:
    """Return what follows the operator at a place of the plan.

    Args:
        place: Its place among all operators.
        operators: All operators, in plan order.
        judging: Stage and name of the operators that judge records.
    """
    following = operators[place + 1 :]
    drops = any(
        operator.rejected or operator.errors or (operator.stage, operator.name) in judging for operator in following
    )
    drops = drops or (bool(following) and not operators[place].output)  # nothing has come to them: they may
    counting = [operator for operator in operators if operator.counts_records]
    return Later(operators[place].output, counting[-1].output if counting else 0, drops)


def pipeline_outcome(now: int, exchanges: Sequence[tuple[Exchange, Later]]) -> Outcome:
    """Return how many records would leave the pipeline.

    Args:
        now: Records that leave it now.
        exchanges: Records that change sides in each operator that is set otherwise, and what follows it.
    """
    gains = [later.surviving_gain(exchange.gain) for exchange, later in exchanges]
    losses = [later.surviving_loss(exchange.loss) for exchange, later in exchanges]
    likely = Estimate.exactly(now) + Estimate.total(g.likely for g in gains) - Estimate.total(o.likely for o in losses)
    most_lost = min(now, sum(loss.bounds.high for loss in losses))
    # A record that one operator takes away may be one that another takes away, or that another adds.
    least_lost = max((loss.bounds.low for loss in losses), default=0.0)
    gained = Estimate.total(gain.bounds for gain in gains)
    if len(exchanges) > 1:
        gained = Estimate(gained.value, max(0.0, gained.low - most_lost), gained.high)
        likely = Estimate(likely.value, min(likely.low, now + gained.low - most_lost), likely.high)
    bounds = Estimate(likely.value, now + gained.low - most_lost, now + gained.high - least_lost)
    return Outcome(likely.within(bounds.low, bounds.high), bounds)
