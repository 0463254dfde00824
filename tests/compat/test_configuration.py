"""Configurations as users of the original wrote them: accepted, with one warning for each thing in an old form."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from mega_data_factory import framework
from mega_data_factory.cli import main
from mega_data_factory.compat.configuration import components, sections
from mega_data_factory.errors import ConfigError
from mega_data_factory.framework import registry
from mega_data_factory.framework.config import old_form
from mega_data_factory.framework.config.pipeline import PipelineConfig
from mega_data_factory.framework.plan import make_plan

TODAY = """\
name: old
data_loader:
  type: hugging_face_loader
  params: {dataset: corpus, split: "${SPLIT:-train}"}
  num_workers: 2
stages:
  - name: clean
    operators:
      - name: url_filter
        params:
          url_column: link
          blocked_domains: [bad.example, good.example]
          blocked_domains_file: domains.txt
          blocked_words: [casino]
          whole_words: false
          keep_missing: true
      - name: TextLengthFilter
        params: {text_column: body, max_length: 9, min_length: 0}
    worker: {num_replicas: 2, resources: {cpu: 0.5}}
  - name: unique
    operators:
      - name: exact_deduplicator
        params: {text_column: body}
data_writer:
  type: parquet_writer
  params: {output_path: ./out, if_exists: append}
executor:
  engine: local
  batch_size: 10
  rejected_samples: {enabled: true, samples_per_reason: 7}
"""

WARNINGS = [
    "old.yaml:2: data_loader.type is an old form: write `hugging_face_loader`",
    "old.yaml:4: data_loader.params.dataset_name is an old form: write `dataset`",
    "old.yaml:6: data_loader.params.streaming",
    "old.yaml:8: data_loader.checkpoint_interval",
    "old.yaml:12: stages[0].operators[0].params.url_field is an old form: write `url_column`",
    "old.yaml:13: stages[0].operators[0].params.blocklist_domains is an old form: write `blocked_domains`",
    "old.yaml:14: stages[0].operators[0].params.blocklist_paths is an old form: write `blocked_domains_file: FILE`",
    "old.yaml:15: stages[0].operators[0].params.word_weights",
    "old.yaml:16: stages[0].operators[0].params.use_default_words",
    "old.yaml:17: stages[0].operators[0].params.score_threshold",
    "old.yaml:18: stages[0].operators[0].params.check_subdomains",
    "old.yaml:19: stages[0].operators[0].params.exclude_quality_sources",
    "old.yaml:21: stages[1].operators[0].name is an old form: write `exact_deduplicator`",
    "old.yaml:22: stages[1].operators[0].params.text_field is an old form: write `text_column`",
    "old.yaml:24: stages[0].operators[1].params.text_field is an old form: write `text_column`",
    "old.yaml:24: stages[0].operators[1].params.text_length_field",
    "old.yaml:25: workers is an old form: write `stages`",
    "old.yaml:33: data_writer.type is an old form: write `parquet_writer`",
    "old.yaml:34: data_writer.params.partition_by",
    "old.yaml:34: data_writer.params.table_name",
    "old.yaml:36: executor.use_ray is an old form: write `engine: local`",
    "old.yaml:37: executor.num_cpus",
    "old.yaml:41: executor.rejected_samples.writer_type",
    "old.yaml:43: executor.metrics.debug_samples_per_operator is an old form: write `executor.rejected_",
    "old.yaml:44: executor.metrics.huggingface_repo is an old form: a run does not publish; call",
    "old.yaml:45: executor.metrics.huggingface_token",
]


def test_an_old_file_means_what_it_meant(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Every old key, name and parameter is one warning with its line, and the pipeline is that of the new form."""
    config = PipelineConfig.from_yaml("old.yaml")
    logged = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [text[: len(start)] for text, start in zip(logged, WARNINGS, strict=True)] == WARNINGS
    assert all(" is an old form: " in text for text in logged)
    assert list(config.old_form) == logged
    today = PipelineConfig.from_dict(yaml.safe_load(TODAY))
    assert config.model_dump() == today.model_dump()
    assert (today.old_form, len(caplog.records)) == ((), len(logged))
    assert config.place("stages", 1, "operators", 0, "params", "text_column").__str__().startswith("old.yaml:22: ")


def test_upgrade_prints_todays_form(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What it prints validates without a warning and means the same; variables stay variables."""
    assert main(["validate", "--upgrade", "old.yaml"]) == 0
    printed = capsys.readouterr()
    assert yaml.safe_load(printed.out) == yaml.safe_load(TODAY)
    (folder / "new.yaml").write_text(printed.out, encoding="utf-8")
    assert main(["validate", "--config", "new.yaml", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["pipeline"], answer["operators"], answer["warnings"]) == ("old", 3, [])
    assert main(["validate", "new.yaml", "--upgrade"]) == 0
    assert capsys.readouterr().out == printed.out
    assert main(["validate", "old.yaml", "--upgrade", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["configuration"] == yaml.safe_load(TODAY)
    assert len(answer["warnings"]) == len(WARNINGS)
    assert main(["validate", "--upgrade", "old.yaml", "--set", "executor.batch_size=none"]) == 2
    assert main(["validate", "--upgrade", "nowhere.yaml"]) == 2
    assert main(["validate", "old.yaml", "--config", "new.yaml"]) == 2
    assert main(["validate", "--upgrade"]) == 2
    assert "error[usage]" in capsys.readouterr().err


CRAWL = """\
data_loader:
  type: CommonCrawlLoader
  params:
    crawl_id: ${CRAWL:-CC-MAIN-2024-51}
    base_url: "https://crawl.example/"
    cache_dir: cache
    num_files: 2
stages:
  - name: filtering
    operators:
      - name: url_filter
        params: {url_field: url}
      - name: text_length_filter
        params: {min_length: -1}
data_writer:
  type: ParquetDataWriter
  params: {output_path: ./out}
"""


def test_a_crawl_that_was_downloaded_is_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files in the cache of the original are read without a network; the lines of the operators move along."""
    (folder / "old.yaml").write_text(CRAWL, encoding="utf-8")
    assert main(["validate", "old.yaml"]) == 2
    assert "old.yaml:14: stages[0].operators[2].params.min_length" in capsys.readouterr().err
    config = PipelineConfig.from_yaml("old.yaml", ["stages.0.operators.text_length_filter.params.min_length=5"])
    places = [text.partition(" is an old form: ")[0] for text in config.old_form]
    assert places == [
        "old.yaml:2: data_loader.type",
        "old.yaml:4: data_loader.params.crawl_id",
        "old.yaml:5: data_loader.params.base_url",
        "old.yaml:7: data_loader.params.num_files",
        "old.yaml:10: stages[0].operators",
        "old.yaml:12: stages[0].operators[1].params.url_field",
        "old.yaml:16: data_writer.type",
    ]
    assert (config.data_loader.type, config.data_loader.params) == ("warc_loader", {"path": "cache/CC-MAIN-2024-51"})
    assert config.as_written()["data_loader"]["params"] == {"path": "cache/${CRAWL:-CC-MAIN-2024-51}"}
    names = [operator.name for operator in config.stages[0].operators]
    assert names == ["html_to_text_refiner", "url_filter", "text_length_filter"]
    made = make_plan(config)
    crawl = folder / "cache" / "CC-MAIN-2024-51"
    crawl.mkdir(parents=True)
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>Words of a page</p>"
    head = "WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-000000000001>\r\n"
    head += "WARC-Date: 2024-12-01T00:00:00Z\r\nWARC-Target-URI: http://a.example/\r\n"
    head += f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(page)}\r\n\r\n"
    (crawl / "part.warc").write_bytes(head.encode() + page + b"\r\n\r\n")
    loader = made.loader.build()
    (table,) = [table for split in loader.splits(10) for table in loader.read(split, 10)]
    text = made.stages[0].operators[0].component.build().refine(table)
    assert text.select(["url", "text"]).to_pylist() == [{"url": "http://a.example/", "text": "Words of a page"}]


def test_a_registered_class_keeps_its_parameters(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class of the user's under an old name has the parameters that it has: they are not those of a built-in one."""
    monkeypatch.setattr(registry, "_REGISTERED", {kind: {} for kind in registry._REGISTERED})
    framework.OperatorRegistry.register("UrlFilter", framework.Filter)
    config = PipelineConfig.from_yaml("old.yaml")
    assert config.stages[0].operators[0].params["url_field"] == "link"
    assert not [text for text in config.old_form if "stages[0].operators[0]" in text]


def test_sections_made_in_python_take_old_keys(caplog: pytest.LogCaptureFixture) -> None:
    """The classes of the original take positional arguments and old keys, and a pipeline takes their objects."""
    config = PipelineConfig(
        data_loader=framework.DataLoaderConfig("TextLoader", {"path": "in"}, num_workers=2, checkpoint_interval=5),
        stages=[
            framework.StageConfig(
                "one",
                [framework.OperatorConfig("text_exact_deduplicator", {"text_field": "body"})],
                framework.StageWorkerConfig({"cpu": 0.5}, num_replicas=2),
                output_path="unused",
            )
        ],
        data_writer=framework.DataWriterConfig("ParquetDataWriter", {"output_path": "out", "table_name": "t"}),
        executor=framework.ExecutorConfig(
            batch_size=7,
            use_ray=False,
            rejected_samples=framework.RejectedSamplesConfig(True, "rejects", "ParquetDataWriter"),
            metrics=framework.MetricsConfig(output_path="m", huggingface_repo="me/space"),
        ),
    )
    made = make_plan(config)
    assert made.stages[0].operators[0].component.params == {"text_column": "body"}
    assert (made.executor.engine, made.executor.metrics.output_path, made.stages[0].max_workers) == ("local", "m", 2)
    assert made.writer.params == {"output_path": "out", "if_exists": "append"}
    said = [record.getMessage().partition(" is an old form: ")[0] for record in caplog.records]
    assert said == [
        "DataLoaderConfig.checkpoint_interval",
        "OperatorConfig.name",
        "OperatorConfig.params.text_field",
        "StageConfig.output_path",
        "DataWriterConfig.type",
        "DataWriterConfig.params.table_name",
        "RejectedSamplesConfig.writer_type",
        "MetricsConfig.huggingface_repo",
        "ExecutorConfig.use_ray",
    ]
    assert PipelineConfig.from_dict(config.as_written()).model_dump() == config.model_dump()
    with pytest.raises(ConfigError, match="blocklist_paths: several files"):
        framework.OperatorConfig("url_filter", {"blocklist_paths": ["a", "b"]})


def test_the_constructor_takes_an_old_configuration(caplog: pytest.LogCaptureFixture) -> None:
    """Old keys given to the constructor mean what they mean in a file; beside a key of today, that of today counts."""
    values: dict[str, Any] = {
        "data_loader": {"type": "CommonCrawlLoader", "params": {"crawl_id": "CC", "path": "here"}},
        "stages": [framework.StageConfig("s", [framework.OperatorConfig("text_length_filter")])],
        "data_writer": {"type": "ParquetDataWriter", "params": {"output_path": "out"}},
        "executor": {
            "use_ray": True,
            "engine": "local",
            "rejected_samples": {"samples_per_reason": 2},
            "metrics": {"debug_samples_per_operator": 3},
        },
    }
    config = PipelineConfig(**values)
    said = [record.getMessage() for record in caplog.records]
    assert said == list(config.old_form)
    assert sorted(text.partition(" is an old form: ")[0] for text in said) == [
        *("data_loader.params.crawl_id", "data_loader.type", "data_writer.type"),
        *("executor.metrics.debug_samples_per_operator", "executor.use_ray", "stages[0].operators"),
    ]
    assert sorted(text.partition(": ")[2] for text in said if "counts" in text) == [
        f"leave it out, for `{key}` is there too and counts"
        for key in ("data_loader.params.path", "executor.engine", "executor.rejected_samples.samples_per_reason")
    ]
    assert (config.executor.engine, config.executor.rejected_samples.samples_per_reason) == ("local", 2)
    assert config.data_loader.params == {"path": "here"}
    assert [operator.name for operator in config.stages[0].operators] == ["html_to_text_refiner", "text_length_filter"]
    assert PipelineConfig.from_dict({**values, "stages": config.model_dump()["stages"][:1]}).executor == config.executor
    with pytest.raises(ConfigError, match="use_ray: write `engine: ray` or `engine: local`"):
        PipelineConfig(**{**values, "executor": {"use_ray": "maybe"}})


def test_every_old_word_is_looked_for() -> None:
    """A word that only the original had, and that can be brought into today's form, lets a file be looked through."""
    tables = [components.LOADERS, components.OPERATORS, components.WRITERS]
    words = {name for table in tables for name, component in table.items() if name != component.name}
    for component in (component for table in tables for component in table.values()):
        words |= {*component.renamed, *component.dropped, *component.converted}
    words |= {str(key[-1]) for key in sections._UNNEEDED} | {"use_ray", "debug_samples_per_operator"}
    assert words == old_form.WORDS
    page = (Path(__file__).parents[2] / "docs" / "coming-from-the-originals.md").read_text(encoding="utf-8")
    assert {word for word in words if f"`{word}`" not in page and f"`executor.{word}" not in page} <= {
        *(
            "hugging_face_data_loader",
            "parquet_data_writer",
            "common_crawl_loader",
        ),  # there by the names of their classes
        *("writer_type", "debug_samples_per_operator", "huggingface_repo"),  # there with their sections
    }


def test_a_file_of_today_loads_nothing_old(folder: Path) -> None:
    """What knows the original is loaded for a file of the original only."""
    (folder / "new.yaml").write_text(TODAY, encoding="utf-8")
    code = (
        "import sys; from mega_data_factory.framework.config.pipeline import PipelineConfig as P;"
        "P.from_yaml('new.yaml'); print([name for name in sys.modules if '.compat' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
