"""Condition of an operator: a truth value over the columns of a record, written as an SQL expression of DuckDB.

DuckDB parses the expression, and what it has understood is checked part by part before anything runs: columns, values,
operators and functions whose result depends on their arguments alone. So a condition cannot read a file, see another
record or change between two attempts at the same batch.
"""

from __future__ import annotations

import atexit
import difflib
import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory import extras
from mega_data_factory.errors import ColumnError, did_you_mean

if TYPE_CHECKING:  # 60 MB that only pipelines with a condition need
    import duckdb

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "enable_external_access": False,
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "python_enable_replacements": False,
    "lock_configuration": True,
}

_OPENING = "SELECT ("
_ONE_EXPRESSION = "it must be one expression, such as `language = 'en' and length(text) > 100`"

_ALLOWED = frozenset(
    {
        "BETWEEN",
        "CASE",
        "CAST",
        "COLLATE",
        "COLUMN_REF",
        "COMPARISON",
        "CONJUNCTION",
        "CONSTANT",
        "FUNCTION",
        "OPERATOR",
        "TYPE",
    }
)
"""Classes of DuckDB's expressions that depend on nothing but the record."""

_CALLED = {"SUBQUERY": "a query", "WINDOW": "a window function", "STAR": "`*`", "LAMBDA": "a lambda"}


_MOST_CHARACTERS = 300
"""Longest message about a value: DuckDB quotes it in full."""


class ConditionError(ValueError):
    """A condition that cannot be asked, of these columns or of any."""


class Condition:
    """A checked condition, ready to be asked; null counts as false.

    Args:
        text: The expression, such as `language = 'en' and length(text) > 100`.
        at: Place in the configuration, for messages about records.

    Attributes:
        columns: Names of the columns that it reads.

    Raises:
        MissingPackageError: DuckDB is not installed.
        ConditionError: It is not one expression, its value is not a truth value, or it uses what is not allowed.
    """

    def __init__(self, text: str, at: str = "when") -> None:
        extras.require("sql", "a condition (`when`)")
        self._at = at
        parts = list(_parts(_parse(text)))
        _check_parts(parts)
        self.columns = tuple(dict.fromkeys(p["column_names"][0] for p in parts if p["class"] == "COLUMN_REF"))
        self._query = f"{_OPENING}{text}\n) AS matched FROM records"
        self._try_without_types()

    def __call__(self, table: pa.Table) -> pa.Array:
        """Ask for every record of a table.

        Returns:
            A boolean array without nulls, one entry per record.

        Raises:
            ColumnError: A column that it names is not there.
            ConditionError: The columns have types that it cannot be asked of.
            ValueError: The values of some record cannot be computed with.
        """
        for name in self.columns:
            if name not in table.column_names:
                hint = did_you_mean(name, table.column_names)
                raise ColumnError(f"{self._at}: there is no column `{name}`", column=name, hint=hint)
        if not self.columns:
            table = pa.table({"": pa.nulls(table.num_rows)})
        elif table.num_rows:
            table = table.select(self.columns)
        try:
            return self._ask(table)
        except ConditionError as error:
            raise ConditionError(f"{self._at}: {error}") from error

    def _ask(self, table: pa.Table) -> pa.Array:
        import duckdb

        database = _database().cursor()
        database.register("records", table)
        try:
            relation = database.sql(self._query)
            if (found := str(relation.types[0])) not in ("BOOLEAN", _UNKNOWN):
                raise ConditionError(f"its value is {found}, not true or false")
            answer = relation.to_arrow_table().column(0)
        except (duckdb.BinderException, duckdb.CatalogException, duckdb.NotImplementedException) as error:
            raise ConditionError(_reason(error)) from error
        except duckdb.Error as error:
            raise ValueError(f"{self._at}: {_reason(error)}") from error
        finally:
            database.close()
        assert len(answer) == table.num_rows, "one answer for each record"
        return pc.fill_null(answer.cast(pa.bool_()), False).combine_chunks()

    def _try_without_types(self) -> None:
        """Evaluate without records and with untyped columns: finds mistakes that do not depend on the data."""
        import duckdb

        try:
            self._ask(pa.table({name: pa.nulls(0) for name in self.columns or ("",)}))
        except ConditionError as error:
            # Of columns without a type DuckDB cannot always tell which variant of a function is meant.
            if not (self.columns and isinstance(error.__cause__, duckdb.BinderException)):
                raise


_UNKNOWN = '"NULL"'
"""What DuckDB calls the type of an expression of which only nulls are known."""


@functools.cache
def _database() -> duckdb.DuckDBPyConnection:
    """Return the database of this process: empty, in memory, with no access to anything outside."""
    import duckdb

    atexit.register(_database.cache_clear)  # DuckDB warns of open connections when Python ends
    return duckdb.connect(config=_SETTINGS)


def _parse(text: str) -> dict[str, Any]:
    """Return DuckDB's tree of the one expression that a text is."""
    if not text.strip():
        raise ConditionError("it is empty; omit it if the operator applies to every record")
    statements = _parsed(f"{_OPENING}{text}\n)", len(text))
    alone = len(statements) == 1 and len(statements[0]["node"].get("select_list", ())) == 1
    if not alone or _around(statements[0]) != _around(_parsed(f"{_OPENING}true)", 4)[0]):
        raise ConditionError(_ONE_EXPRESSION)
    expression: dict[str, Any] = statements[0]["node"]["select_list"][0]
    return expression


def _parsed(query: str, length: int) -> list[Any]:
    import duckdb

    try:
        answer = _database().cursor().execute("SELECT json_serialize_sql(?)", [query]).fetchone()
        assert answer is not None
        parsed = json.loads(answer[0])
    except (duckdb.Error, RecursionError) as error:
        raise ConditionError(_reason(error)) from error
    if parsed["error"]:
        place = int(parsed.get("position") or 0) - len(_OPENING)
        message = " ".join(parsed["error_message"].split())
        if place < 0:  # it was read to the end, and is something else
            raise ConditionError(f"{_ONE_EXPRESSION}; {message}")
        if place >= length:
            raise ConditionError("the expression is not complete")
        raise ConditionError(f"{message} (character {place + 1})")
    statements: list[Any] = parsed["statements"]
    return statements


def _around(statement: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything of a statement but the expression that it selects."""
    return {**statement, "node": {**statement["node"], "select_list": []}}


def _parts(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every expression in a tree."""
    branches = [tree]
    while branches:
        branch = branches.pop()
        if isinstance(branch, dict):
            if "class" in branch:
                yield branch
            branches.extend(reversed(branch.values()))
        elif isinstance(branch, list):
            branches.extend(reversed(branch))


def _check_parts(parts: list[dict[str, Any]]) -> None:
    for part in parts:
        kind = part["class"]
        if kind not in _ALLOWED or part["type"] == "GROUPING_FUNCTION":
            raise ConditionError(f"{_CALLED.get(kind, kind)} is not allowed; use columns, values and functions")
        if kind == "FUNCTION":
            _check_function(part["function_name"])


@dataclass(frozen=True)
class _Variant:
    """One of the functions that DuckDB has under a name; a macro has a definition."""

    kind: str
    stability: str | None
    definition: str | None
    parameters: tuple[str, ...]


@functools.cache
def _functions() -> dict[str, set[_Variant]]:
    found: dict[str, set[_Variant]] = {}
    query = "SELECT function_name, function_type, stability, macro_definition, parameters FROM duckdb_functions()"
    for name, kind, stability, definition, parameters in _database().cursor().execute(query).fetchall():
        found.setdefault(name, set()).add(
            _Variant(kind, stability, definition, tuple(parameters) if definition else ())
        )
    return found


@functools.cache
def _check_function(name: str) -> None:
    variants = _functions().get(name)
    if variants is None:
        near = difflib.get_close_matches(name, [known for known in _functions() if known.isidentifier()], n=1)
        raise ConditionError(f"there is no function `{name}`" + (f"; did you mean `{near[0]}`?" if near else ""))
    scalar = [variant for variant in variants if variant.kind in ("scalar", "macro")]
    if not scalar or not all(_is_of_the_record(variant) for variant in variants):
        raise ConditionError(
            f"the function `{name}` is not allowed; the result must depend on the record alone, not on others, "
            "the time or chance"
        )


def _is_of_the_record(variant: _Variant) -> bool:
    """Return whether a function depends on its arguments alone; of a macro, whether all that it calls does."""
    if variant.definition is not None:
        try:
            parts = list(_parts(_parse(variant.definition)))
            _check_parts(parts)
        except ConditionError:
            return False
        # `current_timestamp` looks like a column.
        return all(part["column_names"][0] in variant.parameters for part in parts if part["class"] == "COLUMN_REF")
    return variant.kind not in ("aggregate", "window") and variant.stability in ("CONSISTENT", None)


def _reason(error: Exception) -> str:
    """Return the first line of an error, without the name that DuckDB gives to its kind."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    line = line.partition("Error: ")[2] or line
    return line if len(line) <= _MOST_CHARACTERS else f"{line[:_MOST_CHARACTERS]}…"
