"""Names and parameters of the original's components in today's form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mega_data_factory.compat.configuration.edits import Edits
from mega_data_factory.framework.config.mistakes import Key
from mega_data_factory.framework.registry import Kind, is_registered, snake_case


@dataclass(frozen=True)
class OldComponent:
    """A component of the original.

    Attributes:
        name: what it is called today.
        renamed: old parameter → the parameter of today.
        dropped: old parameter → why it is not needed.
        converted: old parameter → function that edits it, given the edits and the key of the parameters.
        defaults: parameters of today that differ by default from what the original did.
    """

    name: str
    renamed: Mapping[str, str] = field(default_factory=dict)
    dropped: Mapping[str, str] = field(default_factory=dict)
    converted: Mapping[str, Callable[[Edits, Key], None]] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)


def _convert_blocklists(edits: Edits, params: Key) -> None:
    """Write one file of domains as `blocked_domains_file`; several cannot be named."""
    key = (*params, "blocklist_paths")
    paths = edits.get(key)
    if isinstance(paths, list) and len(paths) > 1:
        edits.refuse(key, "several files; put them into one, and write `blocked_domains_file: FILE`")
        edits.remove(key)
        return
    if isinstance(paths, list):
        edits.set(key, paths[0] if paths else None, key)
    edits.replace(key, (*params, "blocked_domains_file"), "write `blocked_domains_file: FILE`")


def _convert_words(edits: Edits, params: Key) -> None:
    """Write the words whose weight alone reached the threshold as blocked words, which count anywhere in a URL."""
    key = (*params, "word_weights")
    weights = edits.get(key) or {}
    threshold = edits.get((*params, "score_threshold"))
    least = 0.5 if threshold is None else threshold
    try:
        words = [word for word, weight in weights.items() if 0.8 * weight + min(weight / 3, 0.2) >= least]
        edits.note(key, "words have no weights today; write those that reject alone in `blocked_words`")
    except (AttributeError, TypeError):
        edits.refuse(key, "not a mapping of words to numbers; write `blocked_words: [WORD, ...]`")
        words = []
    if words:
        edits.set((*params, "blocked_words"), [*_listed(edits.get((*params, "blocked_words"))), *words], key)
        if not edits.has((*params, "whole_words")):
            edits.set((*params, "whole_words"), False, key)
    edits.remove(key)


def _convert_subdomains(edits: Edits, params: Key) -> None:
    key = (*params, "check_subdomains")
    if edits.get(key) is False:
        edits.refuse(key, "false has no form of today: a blocked domain is rejected with all its subdomains")
    else:
        edits.note(key, "leave it out: a blocked domain is rejected with all its subdomains")
    edits.remove(key)


def _convert_quality_sources(edits: Edits, params: Key) -> None:
    """Add the domains of good sources to the blocked ones, if they were to be left out."""
    switch, own = (*params, "exclude_quality_sources"), (*params, "quality_source_domains")
    edits.note(switch, "name the domains in `blocked_domains`; the original's own list of good sources is not here")
    domains = edits.remove(own) if edits.has(own) else []
    if edits.get(switch) and domains:
        blocked = (*params, "blocked_domains")
        edits.set(blocked, [*_listed(edits.get(blocked)), *_listed(domains)], switch)
    edits.remove(switch)


def _convert_crawl(edits: Edits, params: Key) -> None:
    """Read the files of a crawl that were downloaded before, and make text of their pages in the first stage."""
    key, cache = (*params, "crawl_id"), (*params, "cache_dir")
    folder = edits.remove(cache) if edits.has(cache) else None
    path = f"{folder or '~/.cache/commoncrawl'}/{edits.get(key)}"
    edits.set(key, path, key)
    text = f"nothing is downloaded; for the files that are there write `path: {path}`"
    edits.replace(key, (*params, "path"), text)
    operators: Key = ("stages", 0, "operators")
    edits.note(operators, "begin with `html_to_text_refiner`, which makes `text` of `html`")
    edits.insert_first(operators, {"name": "html_to_text_refiner", "params": {"drop_html": True}})


def _listed(value: Any) -> list[Any]:
    """Return a value as a list; what is no list becomes its one item, which the operator then refuses."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _convert_partitions(edits: Edits, params: Key) -> None:
    key = (*params, "partition_by")
    edits.note(key, "files are not divided by columns today; leave it out: the columns are in the files")
    edits.remove(key)


_NO_WORDS = "the original's own list of words is not here: name yours in `blocked_words`"

HUGGING_FACE = OldComponent(
    "hugging_face_loader",
    renamed={"dataset_name": "dataset"},
    dropped={"streaming": "leave it out: every run reads in pieces"},
)

COMMON_CRAWL = OldComponent(
    "warc_loader",
    converted={"crawl_id": _convert_crawl},
    dropped={
        "base_url": "leave it out: nothing is downloaded",
        "num_files": "leave it out: name the files in `path`, or set `executor.max_samples`",
    },
)

LOADERS = {
    "hugging_face_loader": HUGGING_FACE,
    "hugging_face_data_loader": HUGGING_FACE,
    "common_crawl_loader": COMMON_CRAWL,
}

OPERATORS = {
    "text_exact_deduplicator": OldComponent("exact_deduplicator", renamed={"text_field": "text_column"}),
    "text_length_filter": OldComponent(
        "text_length_filter",
        renamed={"text_field": "text_column"},
        dropped={"text_length_field": "leave it out: the text itself is measured"},
        defaults={"min_length": 0},
    ),
    "url_filter": OldComponent(
        "url_filter",
        renamed={"url_field": "url_column", "blocklist_domains": "blocked_domains"},
        converted={
            "blocklist_paths": _convert_blocklists,
            "word_weights": _convert_words,
            "check_subdomains": _convert_subdomains,
            "exclude_quality_sources": _convert_quality_sources,
        },
        dropped={
            "use_default_words": _NO_WORDS,
            "score_threshold": "leave it out: a URL with a word of `blocked_words` is rejected",
            "use_default_quality_sources": "leave it out: name the domains in `blocked_domains`",
            "quality_source_domains": "leave it out, it had no effect without `exclude_quality_sources`",
        },
        defaults={"keep_missing": True},
    ),
}

WRITERS = {
    "parquet_data_writer": OldComponent(
        "parquet_writer",
        dropped={"table_name": "leave it out: files are named by the run and their batches"},
        converted={"partition_by": _convert_partitions},
        defaults={"if_exists": "append"},
    )
}


_KNOWN: Mapping[Kind, Mapping[str, OldComponent]] = {"loader": LOADERS, "operator": OPERATORS, "writer": WRITERS}


def edit_component(edits: Edits, key: Key, kind: Kind) -> None:
    """Bring one component into today's form; one that is registered under its name is the user's, and stays.

    Args:
        edits: of the configuration.
        key: of the component.
        kind: what it is.
    """
    name_key = "name" if kind == "operator" else "type"
    name = edits.get((*key, name_key))
    if not isinstance(name, str) or is_registered(kind, name):
        return
    component = _KNOWN[kind].get(snake_case(name))
    if component is None:
        return
    before = len(edits.notes)
    if snake_case(name) != component.name:
        edits.note((*key, name_key), f"write `{component.name}`")
        edits.set((*key, name_key), component.name, (*key, name_key))
    params = (*key, "params")
    if isinstance(edits.get(params), dict):
        _edit_params(edits, params, component)
    if len(edits.notes) == before:
        return  # it is in today's form
    for parameter, value in component.defaults.items():
        if not edits.has((*params, parameter)):
            edits.set((*params, parameter), value, (*key, name_key))


def _edit_params(edits: Edits, params: Key, component: OldComponent) -> None:
    for old, new in component.renamed.items():
        if edits.has((*params, old)):
            edits.rename((*params, old), (*params, new))
    for old, convert in component.converted.items():
        if edits.has((*params, old)):
            convert(edits, params)
    for old, reason in component.dropped.items():
        if edits.has((*params, old)):
            edits.note((*params, old), reason)
            edits.remove((*params, old))
