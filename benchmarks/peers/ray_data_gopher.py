"""Gopher's rules as a Ray Data script, in plain Python: python ray_data_gopher.py SOURCE TARGET."""

import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

STOP_WORDS = {"the", "be", "to", "of", "and", "that", "have", "with"}
TOP = {2: 0.20, 3: 0.18, 4: 0.16}
DUPLICATE = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}


def is_prose(text: str) -> bool:
    """Return whether the text passes the quality rules."""
    words = text.split()
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if not 50 <= len(words) <= 100_000 or not 3 <= sum(map(len, words)) / len(words) <= 10:
        return False
    if text.count("#") > 0.1 * len(words) or text.count("...") + text.count("…") > 0.1 * len(words):
        return False
    if sum(line.startswith(("-", "*", "•")) for line in lines) > 0.9 * len(lines):
        return False
    if sum(line.endswith(("...", "…")) for line in lines) > 0.3 * len(lines):
        return False
    if sum(any(map(str.isalpha, word)) for word in words) < 0.8 * len(words):
        return False
    return len(STOP_WORDS & {word.lower() for word in words}) >= 2


def repeats(text: str) -> bool:
    """Return whether the text fails a repetition rule."""
    words = text.split()
    size = sum(map(len, words))
    for separator in ("\n", "\n\n"):
        parts = [part for part in text.split(separator) if part.strip()]
        again = [part for part, count in Counter(parts).items() for _ in range(count - 1)]
        if len(again) > 0.3 * len(parts) or sum(map(len, again)) > 0.2 * len(text):
            return True
    for n, limit in TOP.items():
        grams = Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
        gram, count = max(grams.items(), key=lambda item: item[1], default=((), 0))
        if count > 1 and count * sum(map(len, gram)) > limit * size:
            return True
    for n, limit in DUPLICATE.items():
        seen: set[tuple[str, ...]] = set()
        covered: set[int] = set()
        for i in range(len(words) - n + 1):
            gram = tuple(words[i : i + n])
            if gram in seen:
                covered.update(range(i, i + n))
            seen.add(gram)
        if sum(len(words[i]) for i in covered) > limit * size:
            return True
    return False


def main(source: str, target: str) -> None:
    """Filter the JSON lines of one folder into another."""
    import ray

    def keep(row: dict[str, Any]) -> bool:
        return not repeats(row["text"]) and is_prose(row["text"])

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    files = sorted(map(str, Path(source).glob("*.jsonl")))
    ray.data.read_json(files, lines=True).filter(keep).write_parquet(f"{target}/data")
    ray.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
