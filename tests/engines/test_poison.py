"""A record that kills every worker is set aside alone: the rest goes on as if the record had never been read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines.running import Pipeline, Result, assert_same, fake, jsonl, stage

ROWS = 32


def texts_with(poison: dict[int, str], rows: int = ROWS) -> list[str]:
    """Numbered texts, those of some numbers replaced."""
    return [poison.get(number, f"text {number}") for number in range(rows)]


def poisoned_run(
    folder: Path,
    source: str,
    engine: str,
    *,
    how: str = "SIGKILL",
    first: bool = False,
    batch_size: int = 4,
    attempts: int = 1,
) -> Result:
    """A run with the poisonous operator in the first stage, or behind a stage that deduplicates."""
    poison = fake("Poison", how=how)
    stages = [stage("first", poison, fake("Upper"))]
    if not first:
        stages = [stage("first", fake("Dedup")), stage("second", fake("ShortFilter", min_length=6), poison)]
    executor = {"batch_size": batch_size, "max_attempts": attempts}
    return Pipeline(folder, source, stages, engine=engine, executor=executor).run()


def kept_of(texts: list[str]) -> list[str]:
    """What should come out."""
    return sorted(text for text in texts if "POISON" not in text)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("numbers", "attempts"),
    [
        pytest.param((20,), 1, id="one"),
        pytest.param((20,), 3, id="one, after three attempts"),
        pytest.param((3, 17, 31), 1, id="three"),
    ],
)
def test_poison_behind_a_stage(tmp_path: Path, engine: str, numbers: tuple[int, ...], attempts: int) -> None:
    """Poison records in different batches are dead-lettered, each alone, with how the worker died; all else arrives."""
    texts = texts_with({number: f"POISON {number}" for number in numbers})
    result = poisoned_run(tmp_path / "run", jsonl(tmp_path / "a.jsonl", texts), engine, attempts=attempts)
    assert result.closed(), result.books
    assert result.texts == kept_of(texts)
    assert [letter["record"]["text"] for letter in result.dead_letters] == [f"POISON {n}" for n in numbers]
    assert all(letter["stage"] == "second" for letter in result.dead_letters)
    assert all(f"alone it killed {attempts} of {attempts} workers" in line["reason"] for line in result.dead_letters)
    assert result.count("first/dedup", "input_records") == ROWS - len(numbers)
    assert result.count("second/poison", "output_records") == ROWS - len(numbers)


@pytest.mark.slow
def test_a_poisoned_run_equals_the_run_without_the_poison(tmp_path: Path) -> None:
    """Every operator's counts are those of a run whose source never held the poison."""
    texts = texts_with({20: "POISON 20"})
    poisoned = poisoned_run(tmp_path / "run", jsonl(tmp_path / "a.jsonl", texts), "local")
    clean = poisoned_run(tmp_path / "clean", jsonl(tmp_path / "b.jsonl", kept_of(texts)), "local")
    for operator in ("first/dedup", "second/short_filter", "second/poison"):
        for column in ("input_records", "output_records", "rejected_records", "error_count"):
            assert poisoned.count(operator, column) == clean.count(operator, column), (operator, column)
    assert poisoned.texts == clean.texts


@pytest.mark.parametrize(
    ("how", "epitaph"), [pytest.param("SIGSEGV", "SIGSEGV", marks=pytest.mark.slow), ("exit", "code 3")]
)
def test_every_way_to_die(tmp_path: Path, how: str, epitaph: str) -> None:
    """Poison in the first stage is found however it kills, and the dead letter says how."""
    texts = texts_with({3: "POISON"}, rows=8)
    source = jsonl(tmp_path / "a.jsonl", texts)
    result = poisoned_run(tmp_path / "run", source, "local", how=how, first=True, batch_size=2)
    assert result.closed(), result.books
    assert result.texts == [text.upper() for text in kept_of(texts)]
    assert epitaph in result.dead_letters[0]["reason"]


@pytest.mark.slow
def test_batches_of_one_record(tmp_path: Path, engine: str) -> None:
    """A batch that is nothing but poison leaves an empty batch, and the books balance."""
    texts = texts_with({2: "POISON"}, rows=5)
    result = poisoned_run(tmp_path / "run", jsonl(tmp_path / "a.jsonl", texts), engine, first=True, batch_size=1)
    assert result.closed(), result.books
    assert result.texts == [text.upper() for text in kept_of(texts)]
    assert result.run["dead_lettered_records"] == 1


@pytest.mark.slow
def test_a_source_of_poison_alone(tmp_path: Path) -> None:
    """A run in which every record is dead-lettered completes with closed books and no output file."""
    result = poisoned_run(tmp_path / "run", jsonl(tmp_path / "a.jsonl", ["POISON a", "POISON b"]), "local", first=True)
    assert result.closed(), result.books
    assert result.files == []
    assert result.run["dead_lettered_records"] == 2


@pytest.mark.slow
def test_an_error_and_a_poison_in_one_batch(tmp_path: Path) -> None:
    """Records that raise and records that kill, beside each other, each go to their own sink, once."""
    texts = texts_with({10: "POISON", 11: "BAD 11", 12: "POISON too", 13: "BAD 13"}, rows=16)
    stages = [
        stage("first", fake("Raises", word="BAD 11"), fake("Upper")),
        stage("second", fake("Poison"), fake("Raises", word="BAD 13")),
    ]
    result = Pipeline(
        tmp_path / "run", jsonl(tmp_path / "a.jsonl", texts), stages, executor={"batch_size": 8, "max_attempts": 1}
    ).run()
    assert result.closed(), result.books
    assert {line["record"]["text"] for line in result.errors} == {"BAD 11", "BAD 13"}
    assert {line["record"]["text"] for line in result.dead_letters} == {"POISON", "POISON TOO"}
    assert len(result.texts) == 12


@pytest.mark.slow
@pytest.mark.parametrize(
    "killing",
    [
        pytest.param(False, id="calm"),
        pytest.param(True, id="shards-die-during-release"),
    ],
)
def test_a_dead_letter_gives_up_its_claims(tmp_path: Path, killing: bool) -> None:
    """A duplicate that arrives after the record it repeats was dead-lettered is kept: the claim was released."""
    poison = fake("PoisonAndShards", folder=str(tmp_path / "kills")) if killing else fake("Poison")
    # The topic is the key; the first record of topic b kills, the second is the one to keep.
    texts = ["a 0", "b POISON", "c 2", "d 3", "b 4", "a 5", "e 6", "f 7"]
    stages = [stage("first", fake("TopicDedup")), stage("second", poison)]
    result = Pipeline(
        tmp_path / "run",
        jsonl(tmp_path / "a.jsonl", texts),
        stages,
        executor={"batch_size": 2, "max_in_flight": 1, "max_attempts": 1},
    ).run()
    assert result.closed(), result.books
    assert result.texts == ["a 0", "b 4", "c 2", "d 3", "e 6", "f 7"]
    assert result.count("first/topic_dedup", "rejected_records") == 1
    if killing:
        assert [mark.read_text() for mark in (tmp_path / "kills").iterdir()] == ["2"]  # both shards, once


@pytest.mark.slow
def test_poison_and_kills_together(tmp_path: Path, engine: str) -> None:
    """Poison in one stage while workers of another are killed: the same books as with the poison alone."""
    texts = texts_with({5: "POISON 5", 21: "POISON 21"})
    source = jsonl(tmp_path / "a.jsonl", texts)
    results = []
    for name, on, every in (("calm", "local", 0), ("disturbed", engine, 8)):
        stages = [
            stage("first", fake("Dedup"), fake("KillOnce", folder=str(tmp_path / f"{name}-kills"), every=every)),
            stage("second", fake("Poison"), fake("Upper"), num_replicas=2),
        ]
        results.append(
            Pipeline(tmp_path / name, source, stages, engine=on, executor={"batch_size": 8, "max_attempts": 1}).run()
        )
    calm, disturbed = results
    assert_same(disturbed, calm)
    assert calm.run["dead_lettered_records"] == 2
