"""The SQL index of the archive: connections, transactions and migrations.

SQLite (WAL, local disk) by default, PostgreSQL by URL. The catalog is an index: all that must outlive it lies in the
archive, and `recording-archive reindex` rebuilds it from there.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, inspect, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from recording_archive.catalog.migrations import HEAD, VERSION_TABLE
from recording_archive.catalog.tables import archive, events, tables
from recording_archive.errors import ConfigurationError, StoreError, TransientError
from recording_archive.model import PartId

_LOCK = 0x7265636F  # PostgreSQL advisory lock: one migration at a time
BUSY_TIMEOUT_S = 60
_REMEDIES = {  # no later try helps against these
    sqlite3.SQLITE_FULL: "free space on its volume, then run again",
    sqlite3.SQLITE_IOERR: "check the space on its volume, and the disk itself (dmesg, SMART)",
    sqlite3.SQLITE_READONLY: "mount its volume writable, and give the user that runs Airflow write permission",
    sqlite3.SQLITE_CANTOPEN: "is its volume mounted, and may the user that runs Airflow write there?",
    sqlite3.SQLITE_CORRUPT: "restore it, or rebuild it with `recording-archive reindex`",
    sqlite3.SQLITE_NOTADB: "restore it, or rebuild it with `recording-archive reindex`",
}


class Catalog:
    """One database, migrated on first use. Safe to share between the threads of a process."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)
        self._writing = threading.Lock()
        try:
            with self.write() as connection:
                _migrate(connection, url)
        except DBAPIError as error:
            raise TransientError(f"Catalog {_public(url)} cannot be opened: {error.orig}") from error

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that writes: committed at the end of the block, rolled back when it raises.

        One writer per process, and BEGIN IMMEDIATE on SQLite: a deferred transaction that reads and then writes fails
        under other writers whatever the busy timeout.
        """
        with self._writing, _translated(self.url), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one consistent state and takes no write lock."""
        with _translated(self.url), self.engine.connect() as connection:
            yield connection.execution_options(deferred=True)

    def archive_id(self) -> str | None:
        """The id of the archive this catalog indexes, or None while it indexes none."""
        with self.read() as connection:
            return connection.execute(select(archive.c.id)).scalar_one_or_none()

    def bind(self, archive_id: str, created_at: datetime) -> None:
        """Say once and for all which archive this catalog indexes."""
        with self.write() as connection:
            known = connection.execute(select(archive.c.id)).scalar_one_or_none()
            if known is None:
                connection.execute(insert(archive).values(id=archive_id, created_at=created_at))
            elif known != archive_id:
                raise StoreError(f"The catalog {_public(self.url)} indexes archive {known}, not {archive_id}")

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def record(
    connection: Connection,
    kind: str,
    part: PartId | None,
    *,
    at: datetime,
    run_id: str | None = None,
    actor: str | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Write one event, in the transaction of the change it tells of; ``detail`` holds ids and hashes, no names."""
    who = part._asdict() if part else {}
    connection.execute(insert(events).values(at=at, kind=kind, run_id=run_id, actor=actor, detail=detail or {}, **who))


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite_engine(parsed)
        return create_engine(url, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError) as error:
        raise ConfigurationError(
            f"RECORDING_ARCHIVE_CATALOG_URL is not a database URL this installation can use ({type(error).__name__}): "
            "use sqlite:////path/catalog.db or postgresql://user:password@host/database"
        ) from None
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"The driver of {_public(url)} is not installed: pip install {error.name}") from error


def _sqlite_engine(url: URL) -> Engine:
    if url.database:
        folder = Path(url.database).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"The catalog's folder {folder} cannot be made: {error.strerror}") from error
    timeout = url.query.get("timeout", BUSY_TIMEOUT_S)  # in the URL as SQLAlchemy reads it, in seconds
    engine = create_engine(url, connect_args={"timeout": float(str(timeout)), "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _configure(raw: Any, _record: object) -> None:
        raw.isolation_level = None  # this module says when a transaction begins
        _switch_to_wal(raw, patience_s=float(str(timeout)))
        raw.execute("PRAGMA synchronous=FULL")  # a committed row outlives a power cut: the staged file goes after it
        raw.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        deferred = connection.get_execution_options().get("deferred")
        connection.exec_driver_sql("BEGIN" if deferred else "BEGIN IMMEDIATE")

    return engine


def _switch_to_wal(raw: sqlite3.Connection, patience_s: float) -> None:
    """Turn on the write-ahead log. SQLite's own timeout does not wait for another connection that does just this."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            raw.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY  # whatever the extended code says
            if not busy or time.monotonic() >= deadline:
                raise
            time.sleep(0.02)
        else:
            return


@contextmanager
def _translated(url: str) -> Iterator[None]:
    """Database errors that a later try may not meet become TransientError; the URL's password stays out of it."""
    try:
        yield
    except DBAPIError as error:
        remedy = _REMEDIES.get(getattr(error.orig, "sqlite_errorcode", 0) & 0xFF)  # the low byte is the kind
        if remedy is not None:
            raise StoreError(f"Catalog {_public(url)}: {error.orig}: {remedy}") from error
        if isinstance(error, OperationalError):
            raise TransientError(f"Catalog {_public(url)} does not answer: {error.orig}") from error
        raise


def _public(url: str) -> str:
    return make_url(url).render_as_string(hide_password=True)


def _migrate(connection: Connection, url: str) -> None:
    """Bring the schema to this version's; refuse one that a newer version of this software made."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    if not inspect(connection).has_table(VERSION_TABLE):
        tables.create_all(connection)  # a test holds that the migrations lead to the same tables
        connection.execute(text(f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) PRIMARY KEY)"))
        connection.execute(text(f"INSERT INTO {VERSION_TABLE} VALUES ('{HEAD}')"))  # noqa: S608 - constants
        return
    current = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 - a constant
    if current != HEAD:
        _upgrade(connection, url, current)


def _upgrade(connection: Connection, url: str, current: str | None) -> None:
    from alembic import command  # noqa: PLC0415 - half a second that only an upgrade needs
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(resources.files("recording_archive.catalog") / "migrations"))
    config.attributes["connection"] = connection
    if current not in {step.revision for step in ScriptDirectory.from_config(config).walk_revisions()}:
        raise ConfigurationError(
            f"The catalog {_public(url)} has schema {current!r}, made by a newer version of this software: upgrade it."
        )
    command.upgrade(config, "head")
