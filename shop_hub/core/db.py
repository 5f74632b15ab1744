"""Database: base class, column types, transactions.

One HTTP request, MQTT message, job run or command is one transaction. Services take a session and never commit; this
module is the only one that does. On SQLite all writes of the process pass through one lock, and every writing
transaction starts with BEGIN IMMEDIATE; without both, concurrent writers fail or lose updates.
"""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, cast
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Engine, Enum, Integer, MetaData, create_engine, event
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import QueuePool
from sqlalchemy.types import JSON, TypeDecorator, Uuid

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

BigKey = BigInteger().with_variant(Integer(), "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC time. SQLite has no type for it: there it is text of one width, so that it sorts as the time does."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Refuse naive times: they would be read as something else on another machine."""
        return None if value is None else _in_utc(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the stored moment in UTC."""
        return None if value is None else value.astimezone(UTC)

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any] | None:
        """Return what writes a moment; on SQLite straight as text, since each look-up compares with the present."""
        return _moment_to_text if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None] | None:
        """Return what reads a moment."""
        return _text_to_moment if dialect.name == "sqlite" else super().result_processor(dialect, coltype)


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("naive time")
    return value.astimezone(UTC)


def _moment_to_text(value: datetime | None) -> str | None:
    return None if value is None else _in_utc(value).replace(tzinfo=None).isoformat(" ", "microseconds")


def _text_to_moment(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value).replace(tzinfo=UTC)


def enum_column(kind: type[StrEnum], name: str = "") -> Enum:
    """Return a column type that stores a StrEnum as text, with a CHECK constraint on its values.

    Args:
        name: of the constraint; needed where one table has two columns of the kind.
    """
    return Enum(
        kind,
        native_enum=False,
        create_constraint=True,
        length=40,
        name=name or f"{kind.__name__.lower()}_known",
        values_callable=lambda members: [member.value for member in members],
    )


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime,
        UUID: Uuid,
        dict[str, Any]: JSON,
        list[Any]: JSON,
    }


class WriteLock:
    """One writer at a time on SQLite: among the threads of the hub, and between the hub and the command line.

    SQLite's own lock makes waiting writers sleep and retry, for up to seconds; this one wakes the next at once.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._threads = threading.Lock()

    def acquire(self) -> None:
        """Wait for the lock."""
        self._threads.acquire()
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def release(self) -> None:
        """Give the lock to the next."""
        fcntl.flock(self._file, fcntl.LOCK_UN)
        self._threads.release()


class Database:
    """One database, with a reading and a writing engine over one pool.

    Args:
        url: SQLAlchemy URL; `sqlite:///file` or `postgresql+psycopg://…`.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self.engine = _sqlite_engine(url) if self.is_sqlite else _postgresql_engine(url)
        self.write_engine = self.engine.execution_options(write=True)
        self._write_lock = WriteLock(Path(url.removeprefix("sqlite:///") + ".lock")) if self.is_sqlite else None
        self._local = threading.local()

    def open(self, *, write: bool) -> Session:
        """Return a session, its transaction begun, which the caller must end with `finish`.

        On SQLite a writing session holds the process's write lock from here on: take it late, give it back soon, and
        never call the network or hardware while it is open.
        """
        engine = self.write_engine if write else self.engine
        session = Session(engine, expire_on_commit=False, info={"database": self, "write": write})
        self.begin(session)
        return session

    def begin(self, session: Session) -> None:
        """Begin the transaction of `session`.

        One that only reads begins on its connection alone, and what the ORM asks joins in: the bookkeeping of a session
        costs more than a look-up.
        """
        if session.info["write"]:
            self._lock()
            try:
                session.info["connection"] = session.connection()
            except BaseException:
                self._unlock()
                raise
        else:
            session.bind = session.info["connection"] = connection = self.engine.connect()
            if self.is_sqlite:
                _begin(connection)

    def release(self, session: Session) -> None:
        """Give back what `begin` took; what was not committed is rolled back."""
        session.info.pop("connection", None)
        if session.info["write"]:
            self._unlock()
        elif isinstance(session.bind, Connection):
            session.bind.close()

    def finish(self, session: Session, *, commit: bool) -> None:
        """Commit or roll back `session`, give the lock back, then run what waited for the commit."""
        try:
            if commit and session.info["write"]:
                session.commit()
            elif commit:
                session.flush()  # refuses what was added: nothing is written here
        finally:
            try:
                session.close()  # loaded rows keep their values
            finally:
                self.release(session)
        if commit:
            for function in session.info.pop("after_commit", []):
                function()

    def _lock(self) -> None:
        if self._write_lock is None:
            return
        if getattr(self._local, "writes", False):
            raise RuntimeError("a writing transaction is open in this thread already")
        self._write_lock.acquire()
        self._local.writes = True

    def _unlock(self) -> None:
        if self._write_lock is not None and getattr(self._local, "writes", False):
            self._local.writes = False
            self._write_lock.release()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a writing transaction; commit at the end, roll back on any exception."""
        session = self.open(write=True)
        try:
            yield session
        except BaseException:
            self.finish(session, commit=False)
            raise
        self.finish(session, commit=True)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a reading session."""
        session = self.open(write=False)
        try:
            yield session
        finally:
            self.finish(session, commit=False)

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def connection_of(session: Session) -> Connection:
    """Return the connection of the open transaction, without the questions that the session asks itself each time.

    After a rollback it is asked: it knows whether there is still a transaction to work in.
    """
    connection: Connection | None = session.info.get("connection")
    return connection or session.connection()


def after_commit(session: Session, function: Callable[[], None]) -> None:
    """Run `function` once, after the transaction of `session` has been committed; never after a rollback."""
    session.info.setdefault("after_commit", []).append(function)


@contextmanager
def paused(session: Session) -> Iterator[None]:
    """End what `session` has read and give the write lock back while something slow runs, e.g. a password hash.

    Raises:
        RuntimeError: `session` has written already; a pause would tear its transaction apart.
    """
    database: Database = session.info["database"]
    if session.new or session.dirty or session.deleted or session.info.get("wrote"):
        raise RuntimeError("the transaction has written already")
    session.commit()  # ends what was read; expire_on_commit is off, loaded rows stay
    database.release(session)
    try:
        yield
    finally:
        database.begin(session)


@contextmanager
def in_own_transaction(session: Session) -> Iterator[Session]:
    """Commit something on its own, before the work of `session` begins: the only way to keep what outlives a refusal.

    For counted attempts, refusal logs and records of refused requests.

    Raises:
        RuntimeError: `session` has written already; a nested commit could contradict its rollback.
    """
    with paused(session), session.info["database"].transaction() as own:
        yield own


def _sqlite_engine(url: str) -> Engine:
    path = url.removeprefix("sqlite:///")
    Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=8,
        max_overflow=32,
        hide_parameters=True,  # an error in the log must not bring names along
        connect_args={"check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def configure(dbapi_connection: Any, _record: object) -> None:
        dbapi_connection.isolation_level = None  # the driver must not guess: we send BEGIN ourselves
        for pragma in (
            "busy_timeout=5000",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",
        ):
            dbapi_connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        _begin(connection)

    return engine


def _begin(connection: Connection) -> None:
    """Begin on SQLite, straight at the driver, since every request pays for it; a reading begun before goes on."""
    driver = cast("sqlite3.Connection", connection.connection.dbapi_connection)
    if driver.in_transaction:
        return
    begin = "BEGIN IMMEDIATE" if connection.get_execution_options().get("write") else "BEGIN"
    try:
        driver.execute(begin)
    except sqlite3.OperationalError as error:
        raise OperationalError(begin, None, error) from error


def _postgresql_engine(url: str) -> Engine:
    return create_engine(url, pool_size=8, max_overflow=32, pool_pre_ping=True, hide_parameters=True)


@event.listens_for(Session, "do_orm_execute")
def _note_write(state: Any) -> None:
    if state.is_insert or state.is_update or state.is_delete:
        refuse_write_when_reading(state.session)


@event.listens_for(Session, "after_flush")
def _note_flush(session: Session, _context: object) -> None:
    refuse_write_when_reading(session)


@event.listens_for(Session, "after_rollback")
def _forget_writes(session: Session) -> None:
    session.info.pop("wrote", None)
    session.info.pop("connection", None)


def refuse_write_when_reading(session: Session) -> None:
    """Note that `session` writes.

    Raises:
        RuntimeError: it was opened for reading.
    """
    if session.bind is not None and not session.bind.get_execution_options().get("write"):
        raise RuntimeError("a reading session must not write")
    session.info["wrote"] = True
