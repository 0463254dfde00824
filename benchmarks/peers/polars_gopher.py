"""What polars expresses of Gopher's rules, without n-grams: python polars_gopher.py SOURCE TARGET."""

import sys
from pathlib import Path

import polars as pl

TEXT = pl.col("text")
WORDS = TEXT.str.count_matches(r"\S+")
LINES = TEXT.str.count_matches(r"\S[^\n]*")
ELLIPSIS = r"\.\.\.|…"
LISTED = (
    TEXT.str.split("\n").list.eval(pl.element().str.strip_chars()).list.eval(pl.element().filter(pl.element() != ""))
)
RULES = (
    WORDS.is_between(50, 100_000),
    (TEXT.str.replace_all(r"\s+", "").str.len_chars() / WORDS).is_between(3, 10),
    TEXT.str.count_matches("#", literal=True) <= 0.1 * WORDS,
    TEXT.str.count_matches(ELLIPSIS) <= 0.1 * WORDS,
    TEXT.str.count_matches(r"(?m)^[^\S\n]*[-*•]") <= 0.9 * LINES,
    TEXT.str.count_matches(rf"(?m)(?:{ELLIPSIS})[^\S\n]*$") <= 0.3 * LINES,
    TEXT.str.count_matches(r"[^\s\p{Alphabetic}]*\p{Alphabetic}\S*") >= 0.8 * WORDS,
    pl.sum_horizontal(
        TEXT.str.contains(rf"(?i)\b{word}\b") for word in ("the", "be", "to", "of", "and", "that", "have", "with")
    )
    >= 2,
    LISTED.list.n_unique() >= 0.7 * LISTED.list.len(),
)


def main(source: str, target: str) -> None:
    """Filter the JSON lines of one folder into another."""
    Path(target, "data").mkdir(parents=True)
    for path in sorted(Path(source).glob("*.jsonl")):
        pl.read_ndjson(path).filter(*RULES).write_parquet(Path(target, "data", f"{path.stem}.parquet"))


if __name__ == "__main__":
    main(*sys.argv[1:])
