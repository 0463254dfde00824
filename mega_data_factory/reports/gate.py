"""Verdict of a gate as JUnit XML and as Markdown, for continuous integration."""

from __future__ import annotations

import re
from collections import Counter
from xml.etree import ElementTree

from mega_data_factory.analytics.gate import Check, Verdict

_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold."""


def junit(verdict: Verdict) -> str:
    """Return a verdict as JUnit XML: a test case for each check.

    `failure` is what failed, `skipped` what could not be judged.
    """
    suite = ElementTree.Element(
        "testsuite",
        {
            "name": f"mdf runs gate {_plain(verdict.run_id)}",
            "tests": str(len(verdict.checks)),
            "failures": str(len(verdict.failed)),
            "errors": "0",
            "skipped": str(len(verdict.not_judged)),
        },
    )
    earlier: Counter[tuple[str, str]] = Counter()
    for check in verdict.checks:
        earlier[check.rule, check.subject] += 1
        number = earlier[check.rule, check.subject]  # readers keep one of the cases that have the same name
        name = check.subject if number == 1 else f"{check.subject} ({number})"
        case = ElementTree.SubElement(suite, "testcase", {"classname": f"gate.{check.rule}", "name": _plain(name)})
        if check.status == "failed":
            ElementTree.SubElement(case, "failure", {"message": _plain(check.message)})
        elif check.status == "not judged":
            ElementTree.SubElement(case, "skipped", {"message": _plain(check.message)})
        else:
            ElementTree.SubElement(case, "system-out").text = _plain(check.message)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def markdown(verdict: Verdict) -> str:
    """Return a verdict as Markdown: a heading and a table, failures first."""
    word = "passed" if verdict.passed else f"failed: {len(verdict.failed)} of {len(verdict.checks)} checks"
    order = {"failed": 0, "not judged": 1, "passed": 2}
    rows = sorted(verdict.checks, key=lambda check: order[check.status])
    lines = [
        f"### Gate {word}",
        "",
        f"Run `{verdict.run_id}`, compared with {', '.join(f'`{run_id}`' for run_id in verdict.baseline)}.",
        "",
        "| | rule | of | what |",
        "|---|---|---|---|",
        *(_row(check) for check in rows),
        "",
    ]
    return "\n".join(lines)


_MARKS = {"failed": "❌ failed", "not judged": "⚪ not judged", "passed": "✅ passed"}


def _row(check: Check) -> str:
    cells = (_MARKS[check.status], check.rule, check.subject, check.message)
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text: str) -> str:
    """Return a text that neither ends a cell nor starts markup."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", " ".join(text.split()))


def _plain(text: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
