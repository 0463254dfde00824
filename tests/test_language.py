"""Language of the project: phrases that readers stumbled over stay out of the package, the manual and the README."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WRITTEN = {".py", ".md", ".j2", ".js", ".yaml", ".yml"}

PHRASES = {
    r"(goes|go|going|went) on( with)?": "continue, resume, keep running, during the run",
    r"(nobody|somebody|whoever)": "name the thing of the program: the caller, the reader, another process",
    r"so many": "N, or name the number",
    r"(is|are|be|been|was) told": "report, print, known",
    r"(is|are|be|been|was) given up": "abandon, stop retrying",
    r"of the box": "built-in",
    r"(dear|dearest|dearer)": "expensive",
    r"at work": "running, busy",
    r"(is|are|be|has|have) gone": "was removed, is missing, has ended",
    r"anew": "again",
    r"shall": "must, will, or the present tense",
    r"where there (is|are) none": "if there is none",
    r"(none|null|nan|empty|0|infinite),? where (it|that|there|none|no|an?|the|they|one)": "if; where is a place",
    r"want of": "lack of",
    r"books? (close|closes|closed)": "the books balance",
    r"(?<!there )is no (number|file|folder|name|run|text)": "is not a ...",
    r"who \w+ (never|passes|reads|writes|looks|asks)": "a sentence whose subject is a thing of the program",
}

NOT_COMMANDS = """
a all an any as at both each every everything for from how in it its least most no not nothing of on one our over some
that the their these those three to two what when where whether which while who whose why with without
batches blocks bytes columns cpu file files first interval items key keys last length mean median metrics milliseconds
name names nanoseconds numbers operators percentages points ranges records row rows scores seconds size stage stages
strings text texts timestamps value values workers
"""


def written() -> list[Path]:
    """Files with text that users or maintainers read."""
    folders = [ROOT / "mega_data_factory", ROOT / "docs", ROOT / "examples", ROOT / "configs"]
    files = [path for folder in folders for path in folder.rglob("*") if path.suffix in WRITTEN]
    return sorted([*files, *ROOT.glob("*.md")])


@pytest.mark.parametrize("phrase", PHRASES)
def test_plain_english(phrase: str) -> None:
    """No file says it; the message of a failure names the places and what to write instead."""
    found = []
    pattern = re.compile(rf"\b{phrase}\b", re.IGNORECASE)
    for path in written():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not found, f"write {PHRASES[phrase]!r} instead:\n" + "\n".join(found)


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Functions and methods of a file, without properties: their docstring names the value, as an attribute's does."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not any(
            "property" in ast.unparse(decorator) for decorator in node.decorator_list
        ):
            yield node


def test_docstrings_of_functions_are_commands() -> None:
    """The docstring of a function starts with a verb: "Return the rows", not "The rows"."""
    nouns = set(NOT_COMMANDS.split())
    found = []
    for folder in ("mega_data_factory", "docs", "examples", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            for function in functions(path):
                docstring = ast.get_docstring(function) or "Return"
                first = docstring.split()[0]
                if first.strip(".,:;").lower() in nouns or not first[0].isupper():
                    found.append(f"{path.relative_to(ROOT)}:{function.lineno}: {docstring.splitlines()[0]}")
    assert not found, "write a command, for example 'Return ...':\n" + "\n".join(found)
