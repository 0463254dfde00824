"""What worker processes are like."""

from __future__ import annotations

from pathlib import Path

from tests.engines.running import Pipeline, fake, jsonl, stage


def test_no_worker_has_pandas(tmp_path: Path) -> None:
    """Whatever the built-in operators do in a run, no worker of it loads pandas."""
    names = ["text_length_filter", "exact_deduplicator", "unicode_repair_refiner", "text_statistics_refiner"]
    names += ["language_refiner", "gopher_repetition_filter", "gopher_quality_filter"]
    names += ["c4_quality_filter", "fineweb_quality_filter", "minhash_deduplicator"]
    source = jsonl(tmp_path / "a.jsonl", [f"This is a text about the number {n} and its friends." for n in range(200)])
    witness = fake("NotesModule", module="pandas")
    stages = [stage("only", *({"name": name} for name in names), witness), stage("last", witness)]
    result = Pipeline(tmp_path / "run", source, stages, executor={"metrics": {"collect_custom_metrics": True}}).run()
    assert result.error is None
    seen = [row["custom_metrics"] for row in result.operators if row["operator_name"].startswith("notes_module")]
    assert all((custom or {}).get("loaded", 0) == 0 for custom in seen)
