"""Registration of classes under a name, as the original had it; a configuration may also name them `module:Class`."""

from __future__ import annotations

import ast
import inspect
import operator
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from mega_data_factory.errors import ConfigError
from mega_data_factory.framework import registry
from mega_data_factory.framework.registry import Kind


class _Registry:
    """Names of classes of one kind."""

    kind: ClassVar[Kind]

    @classmethod
    def register(cls, name: str, component: type[Any]) -> None:
        """Let configurations of this process name a class; it replaces a built-in one of that name.

        Args:
            name: as `MyFilter`, which a configuration may write as `MyFilter` or `my_filter`.
            component: A class. Workers import it, from its module or from the script that is run. One that they cannot
                import travels to them with its code: of a notebook, of a function, or of the block of a script that
                is run and not imported (`if __name__ == "__main__":`).

        Raises:
            ConfigError: the name is not a text, or empty; or there is no class under it.
        """
        if not isinstance(name, str) or not name:
            raise ConfigError(
                f"the {cls.kind} {component!r} is registered under {name!r}", hint="a text, such as `MyFilter`"
            )
        if not isinstance(component, type):
            hint = f"register the class, and give its parameters in the configuration: register({name!r}, MyClass)"
            raise ConfigError(f"the {cls.kind} `{name}` is not a class but {component!r}", hint=hint)
        if _can_be_imported(component):
            registry.register(cls.kind, name, f"{_module_of(component)}:{component.__qualname__}")
        else:
            registry.register(cls.kind, name, f"__main__:{component.__qualname__}", unreachable=component)

    @classmethod
    def get(cls, name: str) -> type[Any]:
        """Return the class of a name.

        Raises:
            ConfigError: there is none.
        """
        return registry.find(cls.kind, name).load()


class OperatorRegistry(_Registry):
    """Names of operators."""

    kind = "operator"


class DataLoaderRegistry(_Registry):
    """Names of loaders."""

    kind = "loader"


class DataWriterRegistry(_Registry):
    """Names of writers."""

    kind = "writer"


def _can_be_imported(component: type[Any]) -> bool:
    """Return whether a module has a class under its name, also in a process that imports the module."""
    module = sys.modules.get(component.__module__)
    try:
        reached = operator.attrgetter(component.__qualname__)(module)
    except AttributeError:
        return False
    outer = component.__qualname__.partition(".")[0]
    return reached is component and not (component.__module__ == "__main__" and outer in _classes_of_main_block(module))


def _classes_of_main_block(script: ModuleType | None) -> set[str]:
    """Return the names of the classes that a script defines when it is run, and not when it is imported."""
    try:
        statements = ast.parse(inspect.getsource(script)).body if script is not None else []
    except (OSError, TypeError, SyntaxError):  # a notebook, or a script without its text
        return set()
    blocks = [each for each in statements if isinstance(each, ast.If) and "__name__" in ast.unparse(each.test)]
    return {node.name for block in blocks for node in ast.walk(block) if isinstance(node, ast.ClassDef)}


def _module_of(component: type[Any]) -> str:
    """Return the name under which a worker can import the module of a class.

    A script is `__main__` here only: a worker finds it by the name of its file, in the folder that Python looks in.
    """
    if component.__module__ != "__main__":
        return component.__module__
    script = sys.modules["__main__"]
    name = _script_name(script)
    if name is None:
        return "__main__"
    sys.modules.setdefault(name, script)  # so that this process does not run it a second time
    return name


def _script_name(script: ModuleType) -> str | None:
    if script.__spec__ is not None:  # python -m package.module
        return script.__spec__.name
    path = getattr(script, "__file__", None)
    return Path(path).stem if path and Path(path).is_file() else None  # `<stdin>` is none
