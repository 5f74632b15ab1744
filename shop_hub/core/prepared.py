"""Statements compiled once and handed straight to the driver: for what runs in every sale, look-up and request.

On SQLite SQLAlchemy's execution of a small statement costs ten times the statement itself. Here SQLAlchemy still builds
it, and its column types still convert what goes in and what comes out; only its execution layer is left out. Events,
transaction and errors are those of the session: to everyone else a prepared statement looks like any other.
"""

import json
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import BindParameter, ColumnElement, Dialect, String, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql import Executable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import ARRAY, BigInteger, TypeDecorator, TypeEngine

from shop_hub.core.db import connection_of, refuse_write_when_reading

Build = Callable[[Any], Executable]
Convert = Callable[[Any], Any]
Values = Mapping[str, Any]


class Prepared:
    """One statement, written with `bindparam`, ready to run on both databases.

    Args:
        statement: over tables, not mapped classes; columns that come out need distinct names. Or a function that makes
            it from the database's `insert`, for `ON CONFLICT`.
    """

    def __init__(self, statement: Executable | Build) -> None:
        self._statement = statement
        self._forms: dict[str, _Form] = {}

    def all(self, session: Session, values: Values) -> list[Any]:
        """Return all rows, as named tuples."""
        form, cursor = self._execute(session, values)
        try:
            return [form.row(found) for found in cursor.fetchall()]
        finally:
            cursor.close()

    def first(self, session: Session, values: Values) -> Any:
        """Return the first row as a named tuple, or None."""
        form, cursor = self._execute(session, values)
        try:
            found = cursor.fetchone()
            return None if found is None else form.row(found)
        finally:
            cursor.close()

    def value(self, session: Session, values: Values) -> Any:
        """Return the first column of the first row, or None."""
        found = self.first(session, values)
        return None if found is None else found[0]

    def run(self, session: Session, values: Values) -> int:
        """Return how many rows were written."""
        _, cursor = self._execute(session, values)
        try:
            return int(cursor.rowcount)
        finally:
            cursor.close()

    def run_many(self, session: Session, rows: Sequence[Values]) -> int:
        """Write for each of `rows`, at least one, in one call of the driver; return how many were written in all."""
        _, cursor = self._execute(session, rows[0], rows)
        try:
            return int(cursor.rowcount)
        finally:
            cursor.close()

    def _execute(self, session: Session, values: Values, rows: Sequence[Values] | None = None) -> "tuple[_Form, Any]":
        session.flush()
        connection = connection_of(session)
        form = self._forms.get(connection.dialect.name) or self._compile(connection.dialect, values)
        if form.is_writing:
            refuse_write_when_reading(session)
        bound = form.bind(values) if rows is None else [form.bind(row) for row in rows]
        cursor = connection.connection.cursor()
        listeners = connection.dispatch.before_cursor_execute
        if listeners:
            listeners(connection, cursor, form.sql, bound, None, rows is not None)
        try:
            (cursor.execute if rows is None else cursor.executemany)(form.sql, bound)
        except connection.dialect.loaded_dbapi.Error as error:
            cursor.close()
            base = connection.dialect.loaded_dbapi.Error
            raise DBAPIError.instance(form.sql, None, error, base, hide_parameters=True) from error
        return form, cursor

    def _compile(self, dialect: Dialect, values: Values) -> "_Form":
        statement = self._statement
        if not isinstance(statement, Executable):
            statement = statement(postgresql.insert if dialect.name == "postgresql" else sqlite.insert)
        form = _form(statement, dialect, values)
        self._forms[dialect.name] = form
        return form


@dataclass(frozen=True, slots=True)
class _Form:
    """A statement in the words of one database."""

    sql: str
    is_writing: bool
    in_order: Callable[[Values], Sequence[Any]] | None
    """Returns the values by position, or None where the driver takes names."""
    constants: dict[str, Any]
    incoming: Sequence[tuple[str, Convert]]
    make_row: Callable[..., Any]
    outgoing: Sequence[tuple[int, Convert]]

    def bind(self, values: Values) -> Any:
        bound = {**self.constants, **values}
        for name, convert in self.incoming:
            bound[name] = convert(bound[name])
        return bound if self.in_order is None else self.in_order(bound)

    def row(self, found: Sequence[Any]) -> Any:
        if not self.outgoing:
            return self.make_row(*found)
        converted = list(found)
        for place, convert in self.outgoing:
            converted[place] = convert(converted[place])
        return self.make_row(*converted)


def _form(statement: Executable, dialect: Dialect, values: Values) -> _Form:
    clause: Any = statement
    keys = list(values) if statement.is_insert else None  # of an INSERT: the columns that are given
    compiled = cast("SQLCompiler", clause.compile(dialect=dialect, column_keys=keys))
    if compiled.insert_prefetch or compiled.update_prefetch or compiled.post_compile_params:
        raise ValueError("a prepared statement has no defaults and no lists of varying length: name all columns")
    constants, incoming = {}, []
    for name, parameter in compiled.binds.items():
        convert = _incoming(parameter, dialect)
        if parameter.required:
            incoming += [(name, convert)] if convert else []
        else:
            constants[name] = convert(parameter.effective_value) if convert else parameter.effective_value
    columns = list(clause.exported_columns) if statement.is_select or compiled.effective_returning else []
    outgoing = [(place, _outgoing(column.type, dialect)) for place, column in enumerate(columns)]
    return _Form(
        sql=compiled.string,
        is_writing=statement.is_dml,
        in_order=_in_order(compiled.positiontup or []) if compiled.positional else None,
        constants=constants,
        incoming=incoming,
        make_row=namedtuple("Row", [column.name for column in columns]),  # noqa: PYI024
        outgoing=[(place, convert) for place, convert in outgoing if convert],
    )


def _in_order(names: Sequence[str]) -> Callable[[Values], Sequence[Any]]:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda values: tuple(values[name] for name in names)


def _incoming(parameter: BindParameter[Any], dialect: Dialect) -> Convert | None:
    return cast("Convert | None", parameter.type.dialect_impl(dialect).bind_processor(dialect))


def _outgoing(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    return cast("Convert | None", kind.dialect_impl(dialect).result_processor(dialect, None))


class _Several(TypeDecorator[list[Any]]):
    """A list as one parameter: an array on PostgreSQL, JSON on SQLite."""

    impl = String
    cache_ok = True

    def __init__(self, of: TypeEngine[Any]) -> None:
        super().__init__()
        self.of = of

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return ARRAY(self.of) if dialect.name == "postgresql" else String()

    def process_bind_param(self, value: Iterable[Any] | None, dialect: Dialect) -> Any:
        listed = list(value or ())
        return listed if dialect.name == "postgresql" else json.dumps(listed)


class among(FunctionElement[bool]):  # noqa: N801 - reads as the operator it is
    """Condition: the column has one of the values of a list. Unlike IN, its text is the same for every length.

    Args:
        column: of integers or texts.
        name: of the list among the values.
    """

    inherit_cache = True  # no type: SQLAlchemy would write "… = 1" behind a Boolean, and no index would be used

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        of = String() if isinstance(column.type, String) else BigInteger()
        super().__init__(column, bindparam(name, type_=_Several(of)))


@compiles(among, "sqlite")
def _in_json(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(part, **options) for part in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - SQLAlchemy wrote both parts


@compiles(among, "postgresql")
def _in_array(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(part, **options) for part in element.clauses)
    return f"{column} = ANY ({values})"
