"""A Ray Data pipeline, observed. Lines with `mdf` or `run.` are all that is not Ray's own.

    python examples/observe_ray_data.py                       # makes 20,000 texts, in a temporary folder
    python examples/observe_ray_data.py --source DIR --target DIR --metrics DIR
    python examples/observe_ray_data.py --plain               # the same without ours

Then: mdf runs --metrics DIR, mdf report --metrics DIR, mdf nodes --metrics DIR.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import tempfile
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import ray

import mega_data_factory as mdf

# ── the pipeline ──────────────────────────────────────────────────────────────────────────────────────────────────────


def normalise(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Normalise Unicode and white space."""
    texts = [" ".join(unicodedata.normalize("NFC", text).split()) for text in batch["text"]]
    return {**batch, "text": np.array(texts, dtype=object)}


def is_long_enough(row: dict[str, Any]) -> bool:
    """Keep texts of at least 50 words."""
    return str(row["text"]).count(" ") >= 49


class EnglishOnly:
    """Keeps texts in which enough words are English function words."""

    def __init__(self, least: float) -> None:
        self.least = least
        self.words = frozenset(["the", "of", "and", "to", "in", "a", "is", "that", "it", "for", "with", "as"])

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Return the English texts of a batch."""
        shares = []
        for text in batch["text"].to_pylist():
            words = text.lower().split()
            shares.append(sum(word in self.words for word in words) / max(1, len(words)))
        return batch.filter(pa.array([share >= self.least for share in shares]))


def plain(source: str, target: str) -> None:
    """Run the pipeline as Ray's documentation has it."""
    ds = ray.data.read_parquet(source)
    ds = ds.map_batches(normalise, batch_size=1000)  # type: ignore[arg-type]  # Ray wants any kind of batch accepted
    ds = ds.filter(is_long_enough)
    ds = ds.map_batches(
        EnglishOnly,
        fn_constructor_kwargs={"least": 0.1},
        batch_size=1000,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=1),
    )
    ds.write_parquet(target)


def observed(source: str, target: str, metrics: str) -> None:
    """Run it with ours added."""
    with mdf.observe("clean_texts", metrics=metrics) as run:
        ds = ray.data.read_parquet(source)
        ds = ds.map_batches(run.step(normalise, stage="clean"), batch_size=1000)
        ds = ds.filter(run.step(is_long_enough, stage="judge", reason="too_short"))
        ds = ds.map_batches(
            run.step(EnglishOnly, stage="judge", reason="not_english"),
            fn_constructor_kwargs={"least": 0.1},
            batch_size=1000,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=1),
        )
        ds.write_parquet(target)


# ── something to process ──────────────────────────────────────────────────────────────────────────────────────────────

_ENGLISH = ["the", "of", "and", "to", "in", "a", "is", "data", "model", "language", "text", "people", "work", "water"]
_GERMAN = ["der", "die", "und", "den", "von", "zu", "das", "mit", "sich", "des", "auf", "ist", "dem", "nicht", "ein"]


def make_texts(folder: Path, records: int, *, files: int = 8) -> None:
    """Write texts of 20 to 300 words, a fifth of them not in English."""
    folder.mkdir(parents=True)
    draw = random.Random(0)  # noqa: S311 - nothing secret: the same texts every time
    for file in range(files):
        texts = []
        for _ in range(records // files):
            words = _GERMAN if draw.random() < 0.2 else _ENGLISH
            texts.append("  ".join(draw.choices(words, k=draw.randint(20, 300))))
        pq.write_table(pa.table({"text": texts}), folder / f"{file:03}.parquet")


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source")
    parser.add_argument("--target")
    parser.add_argument("--metrics")
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--cpus", type=int, default=None)
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        source = given.source or str(folder / "source")
        if not Path(source).exists():
            make_texts(Path(source), given.records)
        target = given.target or str(folder / "target")
        ray.init("local", num_cpus=given.cpus, include_dashboard=False, log_to_driver=False)
        if given.plain:
            plain(source, target)
        else:
            metrics = given.metrics or tempfile.mkdtemp(prefix="metrics-")
            observed(source, target, metrics)
            print(f"mdf report --metrics {metrics}")
        ray.shutdown()


if __name__ == "__main__":
    main()
