"""What the metrics cost on the local engine: target ≤ 1 % CPU.

Three answers, because a machine's noise is larger than what is looked for:

1. whole runs with metrics on and off, interleaved: what a user would see;
2. one stage in one process, over prepared batches, on and off in turn: a paired difference with its interval, and a
   control (off against off) that shows what the noise makes of no difference at all;
3. the run's own account (`instrumentation_seconds`: measurements times the calibrated cost of one) over all its CPU.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from local_engine import ONE_THREAD
from make_corpus import Corpus, ensure_corpus
from metering import Spread, Variant, bench_folder, cpu_ratio, interleaved, measure, python
from pipeline import SameOutput, mdf_command

from mega_data_factory.framework.metrics import MetricsReader

TARGET = 0.01


def whole_runs(corpus: Corpus, rounds: int) -> Spread:
    """Return CPU with metrics over CPU without."""
    check = SameOutput()

    def off(output: Path) -> list[str]:
        return mdf_command(corpus, metrics={"enabled": False})(output)

    variants = [Variant("on", mdf_command(corpus), check=check), Variant("off", off, check=check)]
    return cpu_ratio(interleaved(variants, rounds), "on", "off")


def own_account(corpus: Corpus) -> tuple[float, float]:
    """Return the seconds of instrumentation that a run has accounted for, and its CPU seconds."""
    with tempfile.TemporaryDirectory(dir=bench_folder()) as folder:
        usage = measure(mdf_command(corpus)(Path(folder)))
        (run,) = MetricsReader(Path(folder) / "metrics").runs().to_pylist()
    return float(run["instrumentation_seconds"]), usage.cpu


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000, help="size of the corpus")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rounds-paired", type=int, default=10)
    parser.add_argument("--records", type=int, default=100, help="of a batch in the paired comparison")
    parser.add_argument("--batches", type=int, default=60, help="of the paired comparison")
    arguments = parser.parse_args()
    corpus = ensure_corpus(bench_folder(), arguments.megabytes)
    print(f"target: at most {TARGET:.0%}")
    print(f"whole runs, CPU on / off: {whole_runs(corpus, arguments.rounds)}")
    parameters = (arguments.megabytes, arguments.rounds_paired, arguments.records, arguments.batches)
    answer = measure(python(Path(__file__).parent / "metrics_paired.py", *parameters), ONE_THREAD).answer
    for name in ("on", "control"):
        middle, low, high = answer[name]
        print(f"one stage, batches of {arguments.records}, {name}: {middle:+.2%} [{low:+.2%} to {high:+.2%}] 95 %")
    seconds, cpu = own_account(corpus)
    print(f"own account: {seconds:.4f} s of {cpu:.1f} CPU-s = {seconds / cpu:.4%}")


if __name__ == "__main__":
    main()
