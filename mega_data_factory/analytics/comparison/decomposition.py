"""Decomposition of a change of the share kept into parts that add up to it.

Records pass loader, operators and writer one after the other, so the share kept is a product of factors:
`kept / read = Π s_k` with `s_k = 1 + created_k - Σ rejected_k - errors_k …`, each divided by what came in to `k`. The
change of a product is split without a rest by replacing one factor after the other; the order in which that is done
matters little, and the mean of the order of the plan and of its reverse is taken: Dietzenbacher and Los, "Structural
decomposition techniques: sense and sensitivity", Economic Systems Research 10(4), 1998. The part of an operator is the
change of its own factor, weighed by the share of records that reaches it and by what the others keep of them; so a
filter that gets fewer records because an earlier one became stricter has no part in the change. Within an operator the
factor is a sum, so its part splits over its reasons in proportion to the changes of their rates.

Where the input consists of slices (language, source file, domain, …) the share kept is a mean of those of the slices.
Its change is split into what changed inside each slice, and what came from another mixture of slices: Kitagawa,
"Components of a difference between two rates", Journal of the American Statistical Association 50(272), 1955.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from mega_data_factory.analytics.runs.flow import NOT_WRITTEN, Exit, flow_of
from mega_data_factory.analytics.runs.recording import Recording

Kind = Literal["rejected", "error", "dead_letter", "created", "unaccounted", "mixture"]

Slice = tuple[tuple[str, str], ...]
"""Which records: `(column, value)` of every column that they are divided by; empty for all of them."""

LOADER, WRITER = "data_loader", "data_writer"
"""Stages of what happens before the first operator and after the last."""

_Place = tuple[str, str]
Cause = tuple[Kind, str]
"""How records left, and why."""

_ROUNDING = 1e-9
"""Percentage points that floating point may be off by."""


@dataclass(frozen=True)
class Station:
    """One place that records pass.

    Attributes:
        stage, operator: Which; an empty operator for loader and writer.
        came: Records that came in.
        causes: `(kind, reason)` → records that left there; of `created`, records that were made.
    """

    stage: str
    operator: str
    came: int
    causes: Mapping[Cause, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Account:
    """The way of some records: what was read, every station in order, and what was kept.

    Attributes:
        read: Records read.
        kept: Records kept.
        stations: In order. What one passes on comes in to the next; if that does not hold, the difference is
            `unaccounted`.
        chained: Whether every record passes all stations in turn; those of a run that another engine ran may be on
            branches. Then each part is the change of records / records read, without regard to the stations before.
    """

    read: int
    kept: int
    stations: tuple[Station, ...]
    chained: bool = True


@dataclass(frozen=True)
class Part:
    """One part of a change of the share kept.

    Attributes:
        stage, operator: Where; an empty operator for loader and writer, and both empty for the mixture of slices.
        kind: How records left; `created` for records that were made; `unaccounted` where the books do not balance;
            `mixture` for another composition of the input.
        reason: Why, of rejected records and errors.
        points: Percentage points by which it changed the share kept.
        before, after: Records that left (or were made) there.
        came_before, came_after: Records that came in there.
        slice: Which records, where the input was divided.
    """

    stage: str
    operator: str
    kind: Kind
    reason: str
    points: float
    before: int
    after: int
    came_before: int
    came_after: int
    slice: Slice = ()

    @property
    def place(self) -> str:
        """Return where it is, as people write it: `stage / operator`, or the loader or writer."""
        return f"{self.stage} / {self.operator}" if self.operator else self.stage


def decompose(before: Mapping[Slice, Account], after: Mapping[Slice, Account]) -> list[Part]:
    """Return the parts of `100 · (kept / read after - kept / read before)`; their `points` add up to it.

    Args:
        before, after: Accounts by slice, of any number of key columns; `{(): account}` where the input is not divided.

    Returns:
        The largest first; empty if one of the runs read nothing.
    """
    reads = [sum(account.read for account in side.values()) for side in (before, after)]
    if not all(reads):
        return []
    overall = [sum(a.kept for a in side.values()) / read for side, read in zip((before, after), reads, strict=True)]
    middle = sum(overall) / 2
    parts: list[Part] = []
    for key in dict.fromkeys([*after, *before]):
        pair = before.get(key), after.get(key)
        weights = [(account.read if account else 0) / read for account, read in zip(pair, reads, strict=True)]
        shares = _shares(*pair)
        inside = sum(weights) / 2
        old, new = pair
        if inside and old is not None and new is not None and old.read and new.read:
            parts += [replace(part, points=part.points * inside, slice=key) for part in _parts(old, new)]
        if key and (moved := 100 * (weights[1] - weights[0]) * (sum(shares) / 2 - middle)):
            counts = [account.read if account else 0 for account in pair]
            parts.append(Part("", "", "mixture", "", moved, counts[0], counts[1], reads[0], reads[1], key))
    return sorted((part for part in parts if part.points), key=lambda part: -abs(part.points))


def _shares(before: Account | None, after: Account | None) -> list[float]:
    """Return the share kept in both runs; that of the other run where a slice is in one alone."""
    known = [account.kept / account.read if account and account.read else None for account in (before, after)]
    some = next((share for share in known if share is not None), 0.0)
    return [some if share is None else share for share in known]


# ── one slice ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Factor:
    """The rates of one station: records that left for each cause / records that came in."""

    station: Station
    rates: Mapping[Cause, float]

    @property
    def share(self) -> float:
        """Records passed on / records that came in."""
        return 1.0 + math.fsum(rate if cause[0] == "created" else -rate for cause, rate in self.rates.items())


def _parts(before: Account, after: Account) -> list[Part]:
    """Return the parts of the change of one slice, and the rest where the stations do not account for it."""
    parts = list(_parts_of_stations(before, after))
    change = 100 * (after.kept / after.read - before.kept / before.read)
    rest = change - math.fsum(part.points for part in parts)
    if abs(rest) > _ROUNDING:
        parts.append(Part(WRITER, "", "unaccounted", "", rest, 0, 0, before.read, after.read))
    return parts


def _parts_of_stations(before: Account, after: Account) -> Iterator[Part]:
    chained = before.chained and after.chained
    old, new = (_factors(account) if chained else _factors_of_all_read(account) for account in (before, after))
    places = _in_order(list(new), list(old))
    pairs = [_pair(old.get(place), new.get(place)) for place in places]
    weights = [1.0] * len(pairs)
    if chained:
        weights = _weights([first.share for first, _ in pairs], [second.share for _, second in pairs])
    for (first, second), weight in zip(pairs, weights, strict=True):
        for cause in dict.fromkeys([*second.rates, *first.rates]):
            change = second.rates.get(cause, 0.0) - first.rates.get(cause, 0.0)
            kind, reason = cause
            yield Part(
                second.station.stage,
                second.station.operator,
                kind,
                reason,
                100 * weight * (change if kind == "created" else -change),
                first.station.causes.get(cause, 0),
                second.station.causes.get(cause, 0),
                first.station.came,
                second.station.came,
            )


def _weights(before: Sequence[float], after: Sequence[float]) -> list[float]:
    """Return by what each factor's change is multiplied: the product of all others, mean of both orders."""
    forward = [a * b for a, b in zip(_products(after), _products(before[::-1])[::-1], strict=True)]
    reverse = [a * b for a, b in zip(_products(before), _products(after[::-1])[::-1], strict=True)]
    return [(one + other) / 2 for one, other in zip(forward, reverse, strict=True)]


def _products(values: Sequence[float]) -> list[float]:
    """Return the product of all values before each."""
    found, product = [], 1.0
    for value in values:
        found.append(product)
        product *= value
    return found


def _pair(before: _Factor | None, after: _Factor | None) -> tuple[_Factor, _Factor]:
    """Return a station in both runs: one that is missing passes all on, one that got no record acts as in the other."""
    known = after or before
    assert known is not None  # one of the runs has the place
    missing = _Factor(Station(known.station.stage, known.station.operator, 0), {})
    old, new = before or missing, after or missing
    if before and after and not before.station.came:
        old = _Factor(before.station, after.rates)
    if before and after and not after.station.came:
        new = _Factor(after.station, before.rates)
    return old, new


def _factors(account: Account) -> dict[_Place, _Factor]:
    """Return the factors of an account, in order; their product is kept / read wherever records came in.

    Records that are missing between two stations, or at the end, are a cause of the station that passed them on.
    """
    found: dict[_Place, _Factor] = {}
    stations = account.stations
    arriving = [*(station.came for station in stations[1:]), account.kept]
    for station, onward in zip(stations, arriving, strict=True):
        passed = station.came + sum(n if cause[0] == "created" else -n for cause, n in station.causes.items())
        causes = {**station.causes, **({("unaccounted", ""): passed - onward} if passed != onward else {})}
        rates = {cause: n / station.came for cause, n in causes.items()} if station.came else {}
        found[station.stage, station.operator] = _Factor(replace(station, causes=causes), rates)
    return found


def _factors_of_all_read(account: Account) -> dict[_Place, _Factor]:
    """Return the factors of an account whose stations are on branches: rates of all records read."""
    return {
        (station.stage, station.operator): _Factor(
            replace(station, came=account.read), {cause: n / account.read for cause, n in station.causes.items()}
        )
        for station in account.stations
    }


def _in_order(after: Sequence[_Place], before: Sequence[_Place]) -> list[_Place]:
    """Return all places in the order of the later run, those that only the earlier has behind their predecessor."""
    places = list(after)
    for at, place in enumerate(before):
        if place not in places:
            places.insert(places.index(before[at - 1]) + 1 if at else 0, place)
    return places


# ── accounts of runs ──────────────────────────────────────────────────────────────────────────────────────────────────


def account_of(recording: Recording) -> Account:
    """Return the account of all records of a run."""
    flow = flow_of(recording)
    causes: dict[_Place, dict[Cause, int]] = {}
    for exit in flow.exits:
        at = causes.setdefault(_place_of(exit), {})
        kind = _KINDS[exit.kind]
        at[kind, exit.reason] = at.get((kind, exit.reason), 0) + exit.records
    for operator in flow.operators:
        if operator.created:
            causes.setdefault((operator.stage, operator.name), {})["created", ""] = operator.created
    counting = [operator for operator in flow.operators if operator.counts_records]
    came = {(LOADER, ""): flow.read, **{(o.stage, o.name): o.input for o in counting}}
    came[WRITER, ""] = counting[-1].output if counting else flow.read - sum(causes.get((LOADER, ""), {}).values())
    stations = tuple(Station(*place, records, causes.get(place, {})) for place, records in came.items())
    account = Account(flow.read, flow.written, stations)
    return replace(account, chained=not recording.is_observed or _is_chain(account))


_KINDS: Mapping[str, Kind] = {"rejected": "rejected", "error": "error", "dead_letter": "dead_letter"}


def _place_of(exit: Exit) -> _Place:
    if exit.operator is not None:
        return exit.operator.stage, exit.operator.name
    return (WRITER, "") if exit.reason == NOT_WRITTEN else (LOADER, "")


def _is_chain(account: Account) -> bool:
    """Return whether every station passes on what comes in to the next."""
    return all(cause[0] != "unaccounted" for factor in _factors(account).values() for cause in factor.station.causes)
