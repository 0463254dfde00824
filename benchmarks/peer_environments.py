"""Environments of the programs that the benchmarks compare with: each of its own, from PyPI, below `build/`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from metering import ROOT

_PINS = ROOT / "benchmarks" / "peers" / "constraints.txt"


@dataclass(frozen=True)
class Environment:
    """What an environment is made of.

    Attributes:
        name: of its folder.
        requirements: what pip installs; `constraints.txt` beside the scripts of the peers pins the versions.
    """

    name: str
    requirements: Sequence[str]


DATATROVE = Environment("datatrove", ("datatrove[io,processing]", "lxml-html-clean", "spacy"))
DATA_JUICER = Environment("data-juicer", ("py-data-juicer", "aiohttp"))
RAY_DATA = Environment("ray-data", ("ray[data]",))
POLARS = Environment("polars", ("polars",))


def python_of(environment: Environment) -> str:
    """Return the interpreter of an environment; make the environment when it is missing or its pins have changed."""
    sys.path.append(str(ROOT))
    from tests.environments import made

    return str(made(f"peer-{environment.name}", environment.requirements, _PINS) / "bin" / "python")
