"""Parameters of operators that are thresholds of rules, and what they are to be set to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mega_data_factory.analytics.whatif.operators import OperatorRules
from mega_data_factory.analytics.whatif.rules import RuleScores
from mega_data_factory.errors import MetricsQueryError, did_you_mean

_OFF = ("null", "none", "~")


@dataclass(frozen=True)
class Setting:
    """A threshold that is to be another one.

    Attributes:
        operator: The operator.
        parameter: Its parameter.
        rules: The rules whose threshold it is.
        value: The other value; None for no limit.
    """

    operator: OperatorRules
    parameter: str
    rules: tuple[RuleScores, ...]
    value: float | None = None

    @property
    def key(self) -> str:
        """Name on the command line."""
        return f"{self.operator.stage}.{self.operator.name}.{self.parameter}"

    def threshold_of(self, rule: RuleScores) -> float:
        """Return the other threshold of a rule."""
        if self.value is not None:
            return self.value
        return -math.inf if rule.lower_fails else math.inf


def parse_settings(texts: Sequence[str], operators: Sequence[OperatorRules]) -> list[Setting]:
    """Return the settings that `STAGE.OPERATOR.PARAM=VALUE` texts ask for.

    Raises:
        MetricsQueryError: One of them names nothing that can be moved, or is given twice.
    """
    settings: dict[str, Setting] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise MetricsQueryError(f"{text}: there is no value", hint=f"write {text}=VALUE")
        setting = find_setting(key.strip(), operators)
        number = _number(value.strip(), text)
        if setting.key in settings:
            raise MetricsQueryError(f"{setting.key} is set twice")
        made = Setting(setting.operator, setting.parameter, setting.rules, number)
        _check_direction(made)
        settings[setting.key] = made
    return list(settings.values())


def find_setting(key: str, operators: Sequence[OperatorRules]) -> Setting:
    """Return the parameter that `STAGE.OPERATOR.PARAM` names, without a value.

    Raises:
        MetricsQueryError: There is no such parameter, or it is not the threshold of a rule.
    """
    known = {setting.key: setting for setting in movable(operators)}
    alike = [each for each in known if each.endswith(f".{key}") and key.count(".") == 1]
    key = alike[0] if len(alike) == 1 and key not in known else key
    if key in known:
        found = known[key]
        for rule in found.rules:
            if rule.fails is None:
                raise MetricsQueryError(
                    f"{key}: how its scores compare to {rule.threshold} is unknown",
                    hint="let the operator say it: Rule(…, fails='<')",
                )
        return found
    within = [operator for operator in operators if key.startswith(f"{operator.stage}.{operator.name}.")]
    if within:
        names = [setting.parameter for setting in movable(within)]
        parameter = key.removeprefix(f"{within[0].stage}.{within[0].name}.")
        raise MetricsQueryError(
            f"{parameter} is not the threshold of a rule of {within[0].stage}.{within[0].name} in this run",
            hint=did_you_mean(parameter, names) if names else "none of its rules has a parameter as threshold",
        )
    raise MetricsQueryError(f"there is no threshold {key} in this run", hint=did_you_mean(key, known))


def movable(operators: Iterable[OperatorRules]) -> list[Setting]:
    """Return all parameters of a run that are thresholds of rules, with the rules of each."""
    found: list[Setting] = []
    for operator in operators:
        rules: dict[str, list[RuleScores]] = {}
        for rule in operator.rules:
            if rule.parameter is not None and rule.threshold is not None:
                rules.setdefault(rule.parameter, []).append(rule)
            elif rule.threshold is not None:  # of an operator that does not name it: the reason stands for it
                rules.setdefault(rule.reason, []).append(rule)
        found += [Setting(operator, name, tuple(of)) for name, of in rules.items()]
    return found


def operator_rules(rows: Sequence[Mapping[str, Any]]) -> list[OperatorRules]:
    """Return the operators of the rows of the table `scores`, with their rules."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["stage_name"], row["operator_name"]), []).append(row)
    found = []
    for (stage, name), mine in groups.items():
        mine = sorted(mine, key=lambda row: row["rule_index"])
        together = dict(mine[0]["failed_together"] or {})
        other = together.pop("other", 0)
        patterns = {frozenset(map(int, pattern.split(","))): records for pattern, records in together.items()}
        found.append(OperatorRules(stage, name, tuple(map(RuleScores.from_row, mine)), patterns, other))
    return found


def _number(text: str, whole: str) -> float | None:
    if text.lower() in _OFF:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise MetricsQueryError(f"{whole}: {text or 'nothing'} is not a number", hint="a number, or null for no limit")
    return number


def _check_direction(setting: Setting) -> None:
    """Refuse to tighten a rule of which only the scores of rejected records are known."""
    for rule in setting.rules:
        if not rule.can_judge(setting.threshold_of(rule)):
            raise MetricsQueryError(
                f"{setting.key}: only the scores of rejected records are known, so that a stricter threshold than "
                f"{rule.threshold:g} cannot be judged",
                hint="let the filter return Judgement.of(…, rules): it knows the scores of all records",
            )
