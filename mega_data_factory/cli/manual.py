"""Manual of a loader, operator or writer: its summary, description and parameters.

The signature gives names, types and defaults; the `Args:` section of the docstring gives the sentences.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from mega_data_factory import catalogue, extras
from mega_data_factory.errors import ConfigError, MissingPackageError, did_you_mean
from mega_data_factory.framework.contracts import Deduplicator, Filter, Loader, Refiner, Writer
from mega_data_factory.framework.registry import Component, parameters, snake_case

Group = Literal["loaders", "refiners", "filters", "deduplicators", "writers"]
GROUPS: tuple[Group, ...] = ("loaders", "refiners", "filters", "deduplicators", "writers")

# a deduplicator is a filter too, so it comes first
_BASES: tuple[tuple[type, Group], ...] = (
    (Loader, "loaders"),
    (Refiner, "refiners"),
    (Deduplicator, "deduplicators"),
    (Filter, "filters"),
    (Writer, "writers"),
)
_SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Yields|Example|Examples|Note|Notes):\s*$")
_ENTRY = re.compile(r"^(?P<name>\w+):\s*(?P<text>.*)$")


@dataclass(frozen=True)
class Parameter:
    """A parameter of a constructor, as the configuration gives it.

    Attributes:
        name: key below `params`.
        type: its annotation, as written.
        required: whether it has no default.
        default: the default; None when required.
        text: its sentences in the docstring; empty when it has none.
    """

    name: str
    type: str
    required: bool
    default: Any
    text: str


@dataclass(frozen=True)
class Entry:
    """A built-in class, or one of the user's own.

    Attributes:
        name: short name, snake case.
        target: `module:Class`.
        group: what it is.
        summary: one line.
        text: the whole description without its sections, paragraphs separated by an empty line.
        parameters: of the constructor, in order.
        install: command that installs the package which the class needs, if that is missing: then there is no
            description.
    """

    name: str
    target: str
    group: Group
    summary: str
    text: str
    parameters: tuple[Parameter, ...]
    install: str | None = None


def built_in_entries() -> list[Entry]:
    """Return all built-in components, group by group, in the order of the catalogue."""
    box = catalogue.LOADERS | catalogue.OPERATORS | catalogue.WRITERS
    entries = [_built_ins_of(Component(name, target, {})) for name, target in box.items()]
    return sorted(entries, key=lambda entry: GROUPS.index(entry.group))


def _built_ins_of(component: Component) -> Entry:
    try:
        with extras.needed_by(component.name):
            return describe(component)
    except MissingPackageError as error:
        group = next(group for group in GROUPS if component.name.endswith(group.removesuffix("s")))
        return Entry(component.name, component.target, group, f"needs {error.name}: {error.hint}", "", (), error.hint)


def find(name: str) -> Entry:
    """Return the entry of a short name, a class name or a `module:Class`.

    Raises:
        MissingPackageError: the package that it needs is not installed.
        ConfigError: there is none.
    """
    box = catalogue.LOADERS | catalogue.OPERATORS | catalogue.WRITERS
    target = box.get(name) or box.get(snake_case(name)) or (name if ":" in name else None)
    if target is None:
        raise ConfigError(f"there is no built-in `{name}`", hint=did_you_mean(name, box))
    component = Component(snake_case(target.rpartition(":")[2].rpartition(".")[2]), target, {})
    try:
        with extras.needed_by(component.name):
            return describe(component)
    except MissingPackageError:
        raise
    except (ImportError, AttributeError, AssertionError) as error:
        raise ConfigError(f"cannot load `{target}`: {error}") from error


def describe(component: Component) -> Entry:
    """Read the manual entry of a class off its docstring and signature.

    Raises:
        ConfigError: the class is not a loader, operator or writer.
    """
    cls = component.load()
    group = next((group for base, group in _BASES if issubclass(cls, base)), None)
    if group is None:
        raise ConfigError(
            f"`{component.target}` is not a loader, operator or writer",
            hint="subclass Loader, Refiner, Filter, Deduplicator or Writer of mega_data_factory",
        )
    text, _ = docstring_parts(inspect.getdoc(cls) or "")
    summary = getattr(cls, "summary", "") or " ".join(text.partition("\n\n")[0].split())
    return Entry(component.name, component.target, group, summary, text, tuple(_parameters(cls)))


def _parameters(cls: type[Any]) -> Iterator[Parameter]:
    """Yield the parameters of a class; where it passes `**others` on, those of its base as well."""
    texts: dict[str, str] = {}
    for base in reversed(cls.__mro__[:-1]):
        for doc in (base.__doc__, vars(base).get("__init__", base).__doc__):
            texts |= docstring_parts(doc or "")[1]
    seen: set[str] = set()
    for base in cls.__mro__[:-1]:
        if "__init__" not in vars(base):
            continue
        for parameter in parameters(base):
            if parameter.name not in seen:
                seen.add(parameter.name)
                yield _parameter(parameter, texts.get(parameter.name, ""))
        if not any(p.kind is p.VAR_KEYWORD for p in inspect.signature(base).parameters.values()):
            return


def _parameter(parameter: inspect.Parameter, text: str) -> Parameter:
    required = parameter.default is parameter.empty
    kind = parameter.annotation
    written = "" if kind is parameter.empty else kind if isinstance(kind, str) else inspect.formatannotation(kind)
    return Parameter(parameter.name, written, required, None if required else parameter.default, text)


def docstring_parts(doc: str) -> tuple[str, dict[str, str]]:
    """Return the text of a docstring without its sections, and the entries of its `Args` or `Attributes` by name."""
    text: list[str] = []
    entries: dict[str, str] = {}
    section, name = "", ""
    for line in inspect.cleandoc(doc).splitlines():
        if heading := _SECTION.match(line):
            section, name = heading[1], ""
        elif line and not line.startswith(" ") and section:
            section = ""
            text.append(line)
        elif not section:
            text.append(line)
        elif section in ("Args", "Attributes"):
            name = _enter(line, name, entries)
    return "\n".join(text).strip(), entries


def _enter(line: str, name: str, entries: dict[str, str]) -> str:
    """Add a line of a section to its entry; return the name of the entry that the next line may continue."""
    started = _ENTRY.match(line[4:]) if line.startswith("    ") and not line.startswith("     ") else None
    if started:
        entries[started["name"]] = started["text"]
        return started["name"]
    if name and line.strip():
        entries[name] = f"{entries[name]} {line.strip()}"
    return name
