"""Quarantine finds exactly the records that kill, and the accounts stay right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mega_data_factory.errors import OperatorError, WorkerLostError
from mega_data_factory.framework.batch import Batch
from mega_data_factory.framework.worker.quarantine import TimedOut, WorkerDied, isolate_poison
from tests.framework.making import (
    MANY,
    EqualTexts,
    Fragile,
    Long,
    Marking,
    batch,
    claims_in,
    component,
    ids,
    stage,
    stage_plan,
)

KINDS = st.lists(st.sampled_from(["good text", "no", "BAD", "POISON"]), max_size=24)


@MANY
@given(KINDS, st.integers(1, 3))
def test_exactly_the_poison_is_set_aside(texts: list[str], attempts: int) -> None:
    """Quarantine beside errors and rejections: each record ends where it belongs, and each in one place only."""
    whole = replace(batch(texts), attempts=2)
    run = Fragile(stage(component(Long), component(Marking), index=1, samples_per_reason=100))
    result = isolate_poison(whole, stage_plan(component(Long), component(Marking)), run, attempts, None)
    names = dict(zip(ids(whole), texts, strict=True))
    assert ids(result) == [name for name, text in names.items() if text == "good text"]
    ends = {"rejected": "no", "error": "BAD", "dead_letter": "POISON"}
    for kind, text in ends.items():
        found = [e.record_id for e in result.exclusions if e.kind == kind]
        assert found == [name for name, its in names.items() if its == text]
    assert result.dead_lettered == texts.count("POISON")
    assert {e.operator for e in result.exclusions if e.kind == "dead_letter"} <= {""}
    assert result.attempts == 2
    alone = [death for death in run.deaths if len(death) == 1]
    assert all(alone.count(death) == attempts for death in alone)


@MANY
@given(KINDS)
def test_the_accounts_of_earlier_stages_are_corrected(texts: list[str]) -> None:
    """What a later stage dead-letters is taken out of the earlier ones: output of a stage = input of the next."""
    first = stage(component(Marking), name="first", index=0)(batch(texts))
    run = Fragile(stage(component(Long), name="second", index=1))
    result = isolate_poison(first, stage_plan(component(Long), name="second"), run, 2, None)
    dead = texts.count("POISON")
    letters = [(e.stage, e.operator) for e in result.exclusions if e.kind == "dead_letter"]
    assert letters == [("second", "long")] * dead, "the operator is known where a stage has only one"
    before = result.metrics[0]
    assert (before.stage_name, before.input_records, before.error_count) == (
        "first",
        len(texts) - dead,
        texts.count("BAD"),
    )
    after = result.metrics[1:]
    assert sum(row.input_records for row in after) == before.output_records
    assert sum(row.output_records for row in after) == result.table.num_rows
    assert all(row.unbalanced_records == 0 for row in result.metrics)


@MANY
@given(st.lists(st.sampled_from(["same", "other", "POISON"]), min_size=1, max_size=16))
def test_poison_gives_up_its_claims(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    """After quarantine no dead-lettered record holds a key, and of the other texts one each is left."""
    with claims_in(tmp_path_factory.mktemp("claims")) as claims:
        run = Fragile(stage(component(EqualTexts), claims=claims))
        result = isolate_poison(batch(texts), stage_plan(component(EqualTexts)), run, 1, claims)
        later = stage(component(EqualTexts), claims=claims)(batch(["POISON"], number=1))
    assert sorted(result.table.column("text").to_pylist()) == sorted(set(texts) - {"POISON"})
    assert later.table.num_rows == 1


def test_a_duplicate_of_poison_in_the_same_batch_stays() -> None:
    """A record that dies gives up its claims before the rest of its batch is tried again, so its twin is kept."""
    deaths = []

    class Claims:
        def __init__(self) -> None:
            self.held: dict[bytes, bytes] = {}

        def claim(self, keys: Sequence[bytes], owners: Sequence[bytes]) -> list[bool]:
            return [self.held.setdefault(key, owner) == owner for key, owner in zip(keys, owners, strict=True)]

        def release(self, owners: Sequence[bytes]) -> None:
            self.held = {key: owner for key, owner in self.held.items() if owner not in owners}

    claims = Claims()
    run = stage(component(EqualTexts), claims=claims)

    def dies_of_the_first(part: Batch, operators: int | None = None, *, too_slow: bool = False) -> Batch:
        result = run(part)
        if "r0000" in ids(part):
            deaths.append(1)
            raise WorkerDied("killed")
        return result

    result = isolate_poison(batch(["twin", "twin"]), stage_plan(component(EqualTexts)), dies_of_the_first, 2, claims)
    assert ids(result) == ["r0001"]


def test_workers_that_die_of_nothing_are_an_error() -> None:
    """A batch without records holds no poison: when its workers die the run says so, instead of blaming a record."""

    def dies(part: Batch, operators: int | None = None, *, too_slow: bool = False) -> Batch:
        raise WorkerDied("out of memory")

    with pytest.raises(WorkerLostError, match="out of memory; 3 workers died of batch 000000-00000"):
        isolate_poison(batch([]), stage_plan(component(Long)), dies, 3, None)


def test_a_passing_trouble_costs_nothing() -> None:
    """Workers that die for another reason than a record lose none."""
    left = [3]
    run = stage(component(Long))

    def unlucky(part: Batch, operators: int | None = None, *, too_slow: bool = False) -> Batch:
        if left[0]:
            left[0] -= 1
            raise WorkerDied("preempted")
        return run(part)

    result = isolate_poison(batch(["good one"] * 8), stage_plan(component(Long)), unlucky, 3, None)
    assert result.table.num_rows == 8
    assert result.dead_lettered == 0


SLOW_KINDS = st.lists(st.sampled_from(["good text", "no", "BAD", "POISON", "SLOW"]), max_size=80)


@MANY
@given(SLOW_KINDS, st.integers(0, 1), st.booleans())
def test_slow_records_are_errors_of_their_operator(texts: list[str], slow_in: int, known: bool) -> None:
    """Beside poison, errors and rejections, each slow record is an error of the operator that it is too slow for."""
    parts = [component(Marking), component(Long)]
    whole = batch(texts)
    run = Fragile(stage(*parts, index=1, samples_per_reason=100), slow_in)
    result = isolate_poison(whole, stage_plan(*parts), run, 1, None, timed_out=known)
    names = dict(zip(ids(whole), texts, strict=True))
    assert ids(result) == [name for name, text in names.items() if text == "good text"]
    slow = [e for e in result.exclusions if "RecordTimeout: took longer" in e.reason]
    assert sorted(e.record_id for e in slow) == [name for name, text in names.items() if text == "SLOW"]
    assert {(e.kind, e.operator) for e in slow} <= {("error", ("marking", "long")[slow_in])}
    assert result.dead_lettered == texts.count("POISON")
    assert all(row.unbalanced_records == 0 for row in result.metrics)
    totals = {"marking": 0, "long": 0} | {row.operator_name: row.error_count for row in result.metrics}
    errors = {"marking": texts.count("BAD"), "long": 0}
    errors[("marking", "long")[slow_in]] += texts.count("SLOW")
    assert totals == errors


def test_one_slow_record_costs_few_time_limits() -> None:
    """Of a thousand records, one is found after the limit has passed twice more: in its piece, and alone."""
    texts = ["good text"] * 1000
    texts[700] = "SLOW"
    run = Fragile(stage(component(Long)))
    result = isolate_poison(batch(texts), stage_plan(component(Long)), run, 3, None, timed_out=True)
    assert run.timeouts == [32, 1]
    assert result.table.num_rows == 999


def test_a_slow_record_ends_the_run_where_errors_do() -> None:
    """With `on_error: fail` the record that takes too long is named, and no other."""
    run = Fragile(stage(component(Long), component(Marking), on_error="fail"), 1)
    with pytest.raises(OperatorError, match=r"operator `marking`, record `r0001`: RecordTimeout: took longer"):
        isolate_poison(batch(["good", "SLOW", "good"]), stage_plan(component(Long), component(Marking)), run, 1, None)


def test_a_process_that_dies_now_and_then_of_a_slow_record() -> None:
    """A record that times out where it had passed a moment ago is tried again, and set aside in the end."""

    def fickle(part: Batch, operators: int | None = None, *, too_slow: bool = False) -> Batch:
        if operators != 0 or too_slow:
            raise TimedOut("killed by signal 14")
        return stage(component(Long))(part, operators)

    result = isolate_poison(batch(["good"]), stage_plan(component(Long)), fickle, 2, None)
    assert (result.table.num_rows, result.dead_lettered) == (0, 1)
