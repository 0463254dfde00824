"""Unwanted addresses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa

from mega_data_factory.errors import InputError
from mega_data_factory.framework.contracts import Filter, Judgement, OperatorContext, Rule
from mega_data_factory.operators.columns import text_of
from mega_data_factory.operators.examples import URLS, example_records
from mega_data_factory.operators.filters.text_filter import flagged, words_pattern
from mega_data_factory.operators.parameters import check_flag, check_name, check_strings

_SCHEME = r"^\s*([A-Za-z][A-Za-z0-9+.-]*):"
_HOST = r"^\s*[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(\[[^\]/?#]*\]|[^/?#:\s]+)"


class UrlFilter(Filter):
    """Rejects records by their URL: scheme, domain, words.

    Reasons: `missing_url` (null), `invalid_url` (no scheme, or no host where the scheme is http, https or ftp),
    `unwanted_scheme`, `blocked_domain`, `blocked_word`.

    Args:
        url_column: column that holds the URL.
        blocked_domains: domains that are rejected with all their subdomains; internationalised names in any form.
        blocked_domains_file: text file with more of them, one a line; empty lines and what follows `#` do not count.
        blocked_words: words that reject a URL that holds them, without regard to case.
        blocked_words_file: text file with more of them, one a line, of the same form.
        whole_words: a blocked word counts only between characters that are no letters or digits (so that `sex` does
            not hit `essex`); otherwise it counts anywhere.
        allowed_schemes: schemes that stay.
        keep_missing: keep records whose URL is null.
    """

    def __init__(
        self,
        *,
        url_column: str = "url",
        blocked_domains: list[str] | None = None,
        blocked_domains_file: str | None = None,
        blocked_words: list[str] | None = None,
        blocked_words_file: str | None = None,
        whole_words: bool = True,
        allowed_schemes: list[str] | None = None,
        keep_missing: bool = False,
    ) -> None:
        self.url_column = check_name("url_column", url_column)
        self._listed_domains = check_strings("blocked_domains", blocked_domains or [])
        self._listed_words = check_strings("blocked_words", blocked_words or [])
        self._domains_file = _check_file("blocked_domains_file", blocked_domains_file)
        self._words_file = _check_file("blocked_words_file", blocked_words_file)
        self.whole_words = check_flag("whole_words", whole_words)
        schemes = ["http", "https"] if allowed_schemes is None else allowed_schemes
        self.allowed_schemes = tuple(scheme.lower() for scheme in check_strings("allowed_schemes", schemes))
        self.keep_missing = check_flag("keep_missing", keep_missing)
        self._domains = frozenset(map(_plain_host, self._listed_domains))
        self._words = words_pattern(self._listed_words, whole=self.whole_words)

    def setup(self, context: OperatorContext) -> None:
        """Read the files.

        Raises:
            InputError: a file cannot be read.
        """
        del context
        domains = (*self._listed_domains, *_read_list(self._domains_file))
        self._domains = frozenset(map(_plain_host, domains))
        self._words = words_pattern((*self._listed_words, *_read_list(self._words_file)), whole=self.whole_words)

    def examples(self) -> pa.Table:
        """Return made-up records for a first run."""
        return example_records(URLS, self.url_column)

    def judge(self, table: pa.Table) -> Judgement:
        """Look at every URL.

        Raises:
            ConfigError: the table has no such URL column.
        """
        return Judgement.of(table.num_rows, self._rules(text_of(table, self.url_column, "url_column")))

    def _rules(self, url: pl.Series) -> Iterator[Rule]:
        if not self.keep_missing:
            yield flagged("missing_url", url.is_null())
        scheme = url.str.extract(_SCHEME).str.to_lowercase()
        host = url.str.extract(_HOST)
        needs_host = scheme.is_in(["http", "https", "ftp"])
        yield flagged("invalid_url", url.is_not_null() & (scheme.is_null() | (needs_host & host.is_null())))
        yield flagged("unwanted_scheme", ~scheme.is_in(self.allowed_schemes))
        if self._domains:
            hosts = host.to_list()
            blocked = {name: self._is_blocked(_plain_host(name)) for name in set(hosts) if name is not None}
            yield flagged("blocked_domain", pl.Series([blocked.get(name, False) for name in hosts], dtype=pl.Boolean))
        if self._words:
            yield flagged("blocked_word", url.str.contains(self._words))

    def _is_blocked(self, host: str) -> bool:
        while host:
            if host in self._domains:
                return True
            host = host.partition(".")[2]
        return False


def _plain_host(host: str) -> str:
    """Return the host in lower case, without the root's dot, in the ASCII form where it has one."""
    host = host.strip().lower().strip(".")
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host  # not a name that the DNS could hold; compared as it is written


def _check_file(parameter: str, path: object) -> Path | None:
    if path is None:
        return None
    if not isinstance(path, str) or not Path(path).is_file():
        raise ValueError(f"{parameter} is {path!r}, not a file that can be read")
    return Path(path)


def _read_list(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint="a UTF-8 text file, one entry a line") from error
    entries = (line.partition("#")[0].strip() for line in lines)
    return [entry for entry in entries if entry]
