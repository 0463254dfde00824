"""Whether a configuration was written for the original; only then the package that knows its form is loaded."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mega_data_factory.errors import ConfigError
from mega_data_factory.framework.config.source import ConfigSource
from mega_data_factory.framework.config.yaml_parsing import MOST_LEVELS
from mega_data_factory.framework.registry import snake_case

WORDS = frozenset(
    {
        "common_crawl_loader",
        "crawl_id",
        "base_url",
        "num_files",
        "hugging_face_data_loader",
        "parquet_data_writer",
        "text_exact_deduplicator",
        "checkpoint_interval",
        "dataset_name",
        "streaming",
        "text_field",
        "text_length_field",
        "url_field",
        "blocklist_domains",
        "blocklist_paths",
        "word_weights",
        "use_default_words",
        "score_threshold",
        "check_subdomains",
        "exclude_quality_sources",
        "quality_source_domains",
        "use_default_quality_sources",
        "table_name",
        "partition_by",
        "use_ray",
        "num_cpus",
        "writer_type",
        "debug_samples_per_operator",
        "huggingface_repo",
        "huggingface_token",
    }
)
"""Keys and names, in snake case, that only the original had."""


@dataclass(frozen=True)
class Upgraded:
    """A configuration of the original in today's form.

    Attributes:
        source: the configuration.
        notes: for each old key or name its place, and what to write instead.
        mistakes: for each that has no form of today its place, and why.
    """

    source: ConfigSource
    notes: list[str]
    mistakes: list[ConfigError]


def in_todays_form(source: ConfigSource) -> Upgraded | None:
    """Return a configuration of the original in today's form; None for any other."""
    if not any(_old_words(source.values, 0)):
        return None
    upgraded: Upgraded = importlib.import_module("mega_data_factory.compat.configuration.upgrade").upgrade(source)
    return upgraded if upgraded.notes or upgraded.mistakes else None


def _old_words(value: Any, level: int) -> Iterator[bool]:
    """Yield for every key and name whether it may be one of the original; none of a level that no file may have."""
    if level > MOST_LEVELS:
        return
    if isinstance(value, Mapping):
        yield "operators" in value and ("workers" in value or "output_path" in value)
        for key, item in value.items():
            yield key in WORDS
            if key in ("name", "type") and isinstance(item, str):
                yield snake_case(item) in WORDS
            yield from _old_words(item, level + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _old_words(item, level + 1)
