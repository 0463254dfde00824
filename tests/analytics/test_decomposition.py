"""What a change of the share kept is made of: parts that add up, and that name what changed."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from mega_data_factory.analytics.comparison import compare
from mega_data_factory.analytics.comparison.decomposition import (
    Account,
    Slice,
    Station,
    account_of,
    decompose,
)
from tests.made_runs import Op, Pool, recorded


def account(read: int, *steps: dict[str, int], names: str = "abcdefgh") -> Account:
    """Return an account: of every operator how many records left it by reason; `+` creates, `!` are errors."""
    stations, left = [Station("data_loader", "", read, {})], read
    for name, causes in zip(names, steps, strict=False):
        kinds = {"+": ("created", ""), "!": ("error", "raised")}
        known = {kinds.get(reason, ("rejected", reason)): n for reason, n in causes.items()}
        stations.append(Station("s", name, left, known))  # type: ignore[arg-type]
        left += sum(n if reason == "+" else -n for reason, n in causes.items())
    return Account(read, left, (*stations, Station("data_writer", "", left, {})))


def share(account: Account) -> float:
    return 100 * account.kept / account.read


def test_a_stricter_filter_is_the_whole_change() -> None:
    """The filter behind it gets fewer records and rejects the same share of them: it has no part in the change."""
    before = account(1000, {"short": 100}, {"language": 450})
    after = account(1000, {"short": 200}, {"language": 400})
    (part,) = decompose({(): before}, {(): after})
    assert (part.operator, part.reason, part.before, part.after) == ("a", "short", 100, 200)
    assert part.points == pytest.approx(share(after) - share(before)) == pytest.approx(-5.0)


def test_reasons_of_one_operator_may_move_in_opposite_ways() -> None:
    """One reason took 30 more, another 20 fewer, and errors 10 more: each part is told, with its sign."""
    before = account(100, {"x": 10, "y": 30, "!": 0})
    after = account(100, {"x": 40, "y": 10, "!": 10})
    found = {(part.kind, part.reason): part.points for part in decompose({(): before}, {(): after})}
    assert found == pytest.approx({("rejected", "x"): -30, ("rejected", "y"): 20, ("error", "raised"): -10})


@pytest.mark.parametrize("seed", range(40))
def test_parts_add_up(seed: int) -> None:
    """Whatever the runs are (filters that reject all, created records, operators of one run only), nothing is left."""
    draw = random.Random(seed)

    def one(read: int) -> Account:
        steps: list[dict[str, int]] = []
        left = read
        for _ in range(draw.randrange(1, 7)):
            taken = draw.choice([0, left, draw.randrange(left + 1)])
            first = draw.randrange(taken + 1)
            steps.append({"x": first, "y": taken - first, **({"+": draw.randrange(50)} if left - taken else {})})
            left += steps[-1].get("+", 0) - taken
        return account(read, *steps, names="".join(draw.sample("abcdefgh", 8)))

    sides: list[dict[Slice, Account]] = [
        {(("lang", name),): one(draw.randrange(1, 500)) for name in draw.sample("xyz", 2)} for _ in range(2)
    ]
    parts = decompose(*sides)
    kept = [sum(a.kept for a in side.values()) / sum(a.read for a in side.values()) for side in sides]
    assert sum(part.points for part in parts) == pytest.approx(100 * (kept[1] - kept[0]), abs=1e-9)


def test_slices_and_their_mixture() -> None:
    """More of a slice of which little is kept is a part of its own; a filter is named within its slice."""
    good, bad = account(800, {"r": 80}), account(200, {"r": 100})
    before: dict[Slice, Account] = {(("lang", "en"), ("day", "1")): good, (("lang", "de"), ("day", "1")): bad}
    more_bad: dict[Slice, Account] = {
        (("lang", "en"), ("day", "1")): account(400, {"r": 40}),
        (("lang", "de"), ("day", "1")): account(600, {"r": 300}),
    }
    assert {part.kind for part in decompose(before, more_bad)} == {"mixture"}
    stricter = before | {(("lang", "de"), ("day", "1")): account(200, {"r": 150})}
    (part,) = decompose(before, stricter)
    assert (part.slice, part.operator, part.reason) == ((("lang", "de"), ("day", "1")), "a", "r")
    assert part.points == pytest.approx(-5.0)


def test_records_that_are_missing_are_a_part() -> None:
    """Where an operator passed on more than the next one got, the difference is said to be unaccounted for."""
    before = account(100, {"r": 10}, {"q": 10})
    whole = account(100, {"r": 10}, {"q": 10})
    lost = Account(100, 75, (*whole.stations[:2], replace(whole.stations[2], came=85), whole.stations[3]))
    parts = decompose({(): before}, {(): lost})
    assert sum(part.points for part in parts) == pytest.approx(-5.0)
    assert any(part.kind == "unaccounted" and part.operator == "a" for part in parts)


def test_of_a_run_that_read_nothing_nothing_is_said() -> None:
    """Without records there is no share to speak of."""
    assert decompose({(): account(0)}, {(): account(10)}) == []


def test_a_run_is_its_account(tmp_path: Path) -> None:
    """Rejects, errors and created records of a stored run give the share that it kept, and the parts its change."""
    pools = [Pool("a", [Op("f", 0.001, {"short": 0.1, "long": 0.05}, errors=0.01)]), Pool("b", [Op("c", created=1.5)])]
    before = recorded(tmp_path, pools, "run_1")
    harder = [Pool("a", [Op("f", 0.001, {"short": 0.2, "long": 0.05}, errors=0.02)]), pools[1]]
    after = recorded(tmp_path, harder, "run_2")
    assert account_of(before).kept == before.run["total_output_records"]
    found = compare(before, after)
    assert sum(part.points for part in found.parts) == pytest.approx(found.kept.points)
    assert [(part.kind, part.reason) for part in found.parts] == [("rejected", "short"), ("error", "raised")]
