"""Names become classes, parameters are checked, and a plan says what will run."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from mega_data_factory import catalogue
from mega_data_factory.errors import (
    ConfigError,
    InternalError,
    MdfError,
    OperatorError,
    did_you_mean,
)
from mega_data_factory.framework.config.mistakes import Place
from mega_data_factory.framework.config.pipeline import PipelineConfig
from mega_data_factory.framework.engines.worker_errors import as_mdf_error
from mega_data_factory.framework.plan import make_plan
from mega_data_factory.framework.registry import is_deduplicator, resolve, snake_case
from tests.framework.making import HERE, pipeline


@pytest.mark.parametrize("box", [catalogue.OPERATORS, catalogue.LOADERS, catalogue.WRITERS])
def test_short_names_are_class_names_in_snake_case(box: dict[str, str]) -> None:
    """The catalogue's short name is always the class name in snake case, in a module of that name."""
    for name, target in box.items():
        module, _, cls = target.partition(":")
        assert (snake_case(cls), module.rpartition(".")[2]) == (name, name)


@pytest.mark.parametrize("name", ["text_length_filter", "TextLengthFilter"])
def test_both_spellings_find_the_class(name: str) -> None:
    """Snake case and class name are the same operator."""
    assert resolve("operator", name, {}, Place(("here",))).load().__name__ == "TextLengthFilter"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("text_lenght_filter", "there is no operator `text_lenght_filter`\n  hint: did you mean `text_length_filter`?"),
        ("parquet_writer", "there is no operator `parquet_writer`"),
        (f"{HERE}:Nothing", "cannot load"),
        ("no.such.module:X", "cannot load"),
        (":Long", "cannot load"),
        (".relative:Long", "cannot load"),
        (f"{HERE}:Lines", "is not an operator: it must subclass Refiner or Filter"),
        (f"{HERE}:Filter", "is not an operator: it lacks judge"),
        (f"{HERE}:table", "cannot load"),
        (f"{HERE}:Picky", "here.params: picky: nothing under 0"),
    ],
)
def test_names_that_lead_nowhere(name: str, said: str) -> None:
    """A name without a class, with a class of another kind, or with one that cannot be built is one clear error."""
    with pytest.raises(ConfigError) as refusal:
        resolve("operator", name, {}, Place(("here",)))
    assert str(refusal.value).startswith("here")
    assert said in str(refusal.value)


def test_a_module_that_breaks_on_import_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A syntax error in the user's own module is told as an error of the configuration."""
    (tmp_path / "mdf_test_broken.py").write_text("def (")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match=r"cannot load `mdf_test_broken:X`: SyntaxError"):
        resolve("operator", "mdf_test_broken:X", {}, Place(("here",)))


def test_parameters_are_checked_by_name_and_value() -> None:
    """An unknown parameter names the nearest known one, a missing one is named, and the class has the last word."""
    with pytest.raises(ConfigError, match=r"here\.params\.min_lenght: .* no such parameter\n  hint: did you mean `m"):
        resolve("operator", f"{HERE}:Long", {"min_lenght": 1}, Place(("here",)))
    with pytest.raises(ConfigError, match="lines needs `output_path`"):
        resolve("writer", f"{HERE}:Lines", {}, Place(("here",)))


def test_stage_names_are_distinct() -> None:
    """Two stages of one name are refused."""
    stage = {"name": "same", "operators": [{"name": f"{HERE}:Long"}]}
    with pytest.raises(ConfigError, match="2 stages are named `same`"):
        make_plan(PipelineConfig.from_dict(pipeline(stages=[stage, stage])))


def test_operator_names_are_distinct_within_a_stage() -> None:
    """An operator that is used again gets a number; what is disabled is checked, and takes no number."""
    operators: list[dict[str, Any]] = [
        {"name": f"{HERE}:Long", "enabled": enabled} for enabled in (True, False, True, True)
    ]
    plan = make_plan(PipelineConfig.from_dict(pipeline(stages=[{"name": "s", "operators": operators}])))
    assert [(op.name, op.index) for op in plan.stages[0].operators] == [("long", 0), ("long_2", 1), ("long_3", 2)]
    operators[1]["params"] = {"wrong": 1}
    with pytest.raises(ConfigError, match=r"stages\[0\]\.operators\[1\]\.params\.wrong"):
        make_plan(PipelineConfig.from_dict(pipeline(stages=[{"name": "s", "operators": operators}])))


def test_a_stage_without_operators_is_refused() -> None:
    """A stage whose operators are all disabled does nothing, which nobody means."""
    stage = {"name": "s", "operators": [{"name": f"{HERE}:Long", "enabled": False}]}
    with pytest.raises(ConfigError, match="no operator of `s` is enabled"):
        make_plan(PipelineConfig.from_dict(pipeline(stages=[stage])))


def test_what_a_plan_knows() -> None:
    """Deduplicators ask for claims; the batches in flight follow from the workers."""
    plan = make_plan(PipelineConfig.from_dict(pipeline()))
    assert (plan.needs_claims, plan.max_in_flight, plan.loader_workers) == (False, 4, 1)
    stage = {"name": "s", "operators": [{"name": f"{HERE}:EqualTexts"}], "worker": {"num_replicas": 5}}
    plan = make_plan(PipelineConfig.from_dict(pipeline(stages=[stage])))
    assert (plan.needs_claims, plan.max_in_flight) == (True, 12)
    assert is_deduplicator(plan.stages[0].operators[0].component)
    assert plan.writer_options.output_path == "out"


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("leaf", [MdfError, *(e for e in MdfError.kinds() if "errors" in e.__module__)])
def test_errors_survive_every_journey(leaf: type[MdfError]) -> None:
    """An error comes out of a dict and out of a pickle as the class, message and hint that went in."""
    error = leaf("what", hint="so")
    for back in (MdfError.from_dict(error.as_dict()), pickle.loads(pickle.dumps(error))):
        assert (type(back), str(back)) == (leaf, "what\n  hint: so")


def test_slugs_are_distinct() -> None:
    """Each error that has a slug of its own can be looked up under it."""
    slugs = [leaf.slug for leaf in MdfError.kinds() if "slug" in vars(leaf)]
    assert len(slugs) > 10
    assert len(slugs) == len(set(slugs))
    assert isinstance(MdfError.from_dict({"slug": "of the future", "message": None, "hint": None}), MdfError)


def test_did_you_mean() -> None:
    """The nearest word is named; when none is near, all are listed; when there are none, nothing is said."""
    assert did_you_mean("batchsize", ["batch_size", "name"]) == "did you mean `batch_size`?"
    assert did_you_mean("zzz", ["b", "a"]) == "known: a, b"
    assert did_you_mean("zzz", []) is None


def test_an_exception_in_a_worker_names_its_line() -> None:
    """Errors of ours pass unchanged; any other says what was being done and where it was raised."""
    ours = OperatorError("x")
    assert as_mdf_error(ours, "reading") is ours
    try:
        [].pop()
    except IndexError as error:
        told = as_mdf_error(error, "reading")
    assert isinstance(told, InternalError)
    assert told.message.startswith("reading: IndexError: pop from empty list (")
    assert "test_plan.py:" in told.message
