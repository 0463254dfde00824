"""CPU time that observing adds to a Ray Data pipeline: the example with and without it, in turn.

python benchmarks/observe_ray_data.py [--records 100000] [--rounds 6] [--cpus 3]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from metering import ROOT, Variant, bench_folder, cpu_ratio, interleaved, print_table, python

sys.path.insert(0, str(ROOT / "examples"))
from observe_ray_data import make_texts  # type: ignore[attr-defined]  # the example of the same name


def main() -> None:
    """Print CPU seconds of both, and their ratio round by round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--cpus", type=int, default=3)
    given = parser.parse_args()
    folder = bench_folder() / "observe_ray_data"
    source = Path(folder, f"source-{given.records}")
    if not source.exists():
        make_texts(source, given.records)
    common = [ROOT / "examples" / "observe_ray_data.py", "--source", source, "--cpus", given.cpus]
    variants = [
        Variant("plain", lambda folder: python(*common, "--plain", "--target", folder / "target")),
        Variant(
            "observed",
            lambda folder: python(*common, "--target", folder / "target", "--metrics", folder / "metrics"),
        ),
    ]
    results = interleaved(variants, given.rounds)
    print_table(results, "plain")
    print(f"observed over plain, round by round: {cpu_ratio(results, 'observed', 'plain')}")


if __name__ == "__main__":
    main()
