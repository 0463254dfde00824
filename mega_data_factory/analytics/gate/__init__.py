"""Gate of a run: rules that a run must meet, against a baseline, and what came of each."""

from mega_data_factory.analytics.gate.check import Check, Verdict
from mega_data_factory.analytics.gate.judging import gate
from mega_data_factory.analytics.gate.rules import GateRules, Rule

__all__ = ["Check", "GateRules", "Rule", "Verdict", "gate"]
