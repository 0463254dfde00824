"""`mdf validate` on files with many mistakes: all of them in one go, each with its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mega_data_factory.cli import main

FORM = """\
data_loader:
  type: jsonl_loadr
  params:
    path: ${MDF_TEST_NONE}/in
  num_workers: 0
stages:
  - name: clean
    operatrs: []
    operators:
      - name: text_length_filter
        params:
          min_lenght: 3
          max_length: many
      - name: text_length_filtr
      - name: gopher_quality_filter
        params:
          min_words: ${MDF_TEST_NONE}
          max_words: -5
        when: "length(text"
      - name: my_missing_module:Thing
      - params: {}
      - name: token_count_refiner
        params: {tokeniser: "${MDF_TEST_NONE}", token_column: ""}
  - name: clean
    operators: []
  - name: data_loader
    operators: [{name: url_filter, enabled: false, params: {blocked_words: 3, whole_words: 7}}]
data_writer:
  type: parquet_writer
  params: {output_path: "memory://out", compresion: 3, target_file_mb: -1}
  params: {output_path: "memory://out", compresion: 3, target_file_mb: -1, if_exists: no way}
executor:
  batch_sise: 3
  batch_size: ${MDF_TEST_NONE}
  engine: spark
  engine: spark
  metrics:
    slice_by: [a, a]
    prometheus: {port: x}
    exporters:
      - name: nope
    generate_report: maybe
"""

WRONG_FORM = {
    (2, "there is no loader `jsonl_loadr`; did you mean `jsonl_loader`?"),
    (4, "data_loader.params.path: the environment variable MDF_TEST_NONE is not set"),
    (5, "data_loader.num_workers: Input should be greater than or equal to 1"),
    (8, "stages[0].operatrs: unknown key; did you mean `operators`?"),
    (12, "min_lenght: text_length_filter has no such parameter; did you mean `min_length`?"),
    (13, "max_length: text_length_filter: max_length is 'many', not a whole number"),
    (14, "there is no operator `text_length_filtr`; did you mean `text_length_filter`?"),
    (17, "min_words: the environment variable MDF_TEST_NONE is not set"),
    (18, "max_words: gopher_quality_filter: max_words is -5"),
    (19, "when: the expression is not complete"),
    (20, "cannot load `my_missing_module:Thing`"),
    (21, "stages[0].operators[4].name: missing"),
    (23, "tokeniser: the environment variable MDF_TEST_NONE is not set"),
    (23, "tokeniser: token_count_refiner has no such parameter; did you mean `tokenizer`?"),
    (23, "params: token_count_refiner needs `tokenizer`; is `tokeniser` meant to be it?"),
    (24, "stages[1].name: 2 stages are named `clean`"),
    (25, "stages[1].operators: List should have at least 1 item"),
    (26, "stages[2].name: a stage cannot be named `data_loader`"),
    (26, "stages[2]: no operator of `data_loader` is enabled"),
    (27, "blocked_words: url_filter: blocked_words is 3, not a list of texts"),
    (27, "whole_words: url_filter: whole_words is 7, not true or false"),
    (31, "data_writer.params is written twice; keep one of them"),
    (31, "output_path: memory://out is in the memory of one process"),
    (31, "compresion: parquet_writer has no such parameter; did you mean `compression`?"),
    (31, "target_file_mb: parquet_writer: target_file_mb is -1"),
    (31, "if_exists: parquet_writer: if_exists is 'no way'"),
    (33, "executor.batch_sise: unknown key; did you mean `batch_size`?"),
    (34, "executor.batch_size: the environment variable MDF_TEST_NONE is not set"),
    (36, "executor.engine is written twice"),
    (36, "executor.engine: Input should be 'local' or 'ray'"),
    (38, "executor.metrics.slice_by: 'a' is there twice"),
    (39, "executor.metrics.prometheus.port: Input should be a valid integer"),
    (41, "there is no exporter `nope`"),
    (42, "executor.metrics.generate_report: Input should be a valid boolean"),
}

NAMES = """\
data_loader:
  type: text_loader
  params: {path: out, suffixes: [.parquet]}
stages:
  - name: s
    operators:
      - {name: text_length_filter, params: {min_length: -1, unit: miles}}
      - {name: nope, enabled: false}
data_writer:
  type: parquet_writer
  params: {output_path: out}
executor:
  errors_path: p.yaml
"""

RIGHT_FORM = {
    (7, "min_length: text_length_filter: min_length is -1"),
    (7, "unit: text_length_filter: unit is 'miles'"),
    (8, "there is no operator `nope`"),
    (11, "data_loader would read what the run writes there"),
    (13, "p.yaml is a file, not a folder"),
}


@pytest.mark.parametrize(("text", "expected"), [(FORM, WRONG_FORM), (NAMES, RIGHT_FORM)])
def test_every_mistake_is_reported_in_one_go(
    text: str,
    expected: set[tuple[int, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line for each mistake, in the order of the file, and no line for anything that follows from another."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MDF_TEST_NONE", raising=False)
    Path("p.yaml").write_text(text, encoding="utf-8")
    assert main(["validate", "p.yaml"]) == 2
    lines = re.findall(r"p\.yaml:(\d+): (.*)", capsys.readouterr().err)
    missed = {(line, words) for line, words in expected if not any(int(n) == line and words in t for n, t in lines)}
    assert not missed, lines
    assert len(lines) == len(expected), lines
    numbers = [int(number) for number, _ in lines]
    assert numbers == sorted(numbers)


def test_all_wrong_overrides_are_one_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each `--set` that cannot be applied is a line."""
    (tmp_path / "p.yaml").write_text(NAMES, encoding="utf-8")
    sets = [text for override in ("a", "stages.x.name=1", "b=[") for text in ("--set", override)]
    assert main(["validate", str(tmp_path / "p.yaml"), *sets]) == 2
    said = capsys.readouterr().err
    assert all(begin in said for begin in ("--set a: ", "--set stages.x.name: ", "--set b: ")), said
