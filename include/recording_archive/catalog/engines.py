"""Engines for SQLite and PostgreSQL, and database errors as errors of this package."""

from __future__ import annotations

import importlib
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from recording_archive.catalog.sqlite_files import prepare
from recording_archive.errors import ConfigurationError, StoreError, TransientError
from recording_archive.spelling.names import folded

BUSY_TIMEOUT_S = 60
FOLDED = "folded_name"
"""The SQL function for `spelling.names.folded`, on SQLite alone."""

_DRIVERS = ("psycopg2", "psycopg")  # of PostgreSQL, the one that the documents install first
_PACKAGES = {"psycopg2": "psycopg2-binary", "psycopg": "'psycopg[binary]'"}
_REBUILD = (
    "move it, and the files beside it that end in -wal and -shm, to another folder; then restore a copy of it, or "
    "rebuild it with `recording-archive reindex`"
)
_REMEDIES = {  # no later try helps against these
    sqlite3.SQLITE_FULL: "free space on its volume, then run again",
    sqlite3.SQLITE_IOERR: "check the space on its volume, and the disk itself (dmesg, SMART)",
    sqlite3.SQLITE_READONLY: "mount its volume writable, and give the user that runs Airflow write permission",
    sqlite3.SQLITE_CANTOPEN: "is its volume mounted, and may the user that runs Airflow write there?",
    sqlite3.SQLITE_CORRUPT: _REBUILD,
    sqlite3.SQLITE_NOTADB: _REBUILD,
}


def open_engine(url: str) -> Engine:
    """Make the engine for a URL; raise ConfigurationError when this installation cannot use it."""
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite_engine(parsed)
        return create_engine(with_driver(parsed), pool_pre_ping=True, json_deserializer=_from_json)
    except (ArgumentError, NoSuchModuleError) as error:
        raise ConfigurationError(
            f"RECORDING_ARCHIVE_CATALOG_URL is not a database URL this installation can use ({type(error).__name__}): "
            "use sqlite:////path/catalog.db or postgresql://user:password@host/database"
        ) from None
    except ModuleNotFoundError as error:
        package = _PACKAGES.get(error.name or "", error.name)
        raise ConfigurationError(f"The driver of {masked(url)} is not installed: pip install {package}") from error
    except ImportError as error:
        raise ConfigurationError(f"The driver of {masked(url)} cannot be loaded: {error}") from error


def with_driver(url: URL) -> URL:
    """Name the driver in a PostgreSQL URL that names none: the first that is installed and can be loaded.

    SQLAlchemy's own choice changes with its version, and knows nothing of what is installed.
    """
    if url.drivername not in {"postgresql", "postgres"}:
        return url
    problems = []
    for driver in _DRIVERS:
        try:
            importlib.import_module(driver)
        except ImportError as error:
            problems.append(str(error).splitlines()[0])
        else:
            return url.set(drivername=f"postgresql+{driver}")
    raise ConfigurationError(
        f"No driver for {url.render_as_string(hide_password=True)} can be loaded ({'; '.join(problems)}): "
        f"pip install {_PACKAGES['psycopg2']}"
    )


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Raise database errors as StoreError with a remedy, or as TransientError when a later try may succeed."""
    try:
        yield
    except DBAPIError as error:
        remedy = _REMEDIES.get(getattr(error.orig, "sqlite_errorcode", 0) & 0xFF)  # the low byte is the kind
        if remedy is not None:
            raise StoreError(f"Catalog {masked(url)}: {error.orig}: {remedy}") from error
        if isinstance(error, OperationalError):
            raise TransientError(f"Catalog {masked(url)} does not answer: {error.orig}") from error
        raise


def masked(url: str) -> str:
    """Give a URL as messages may show it."""
    return make_url(url).render_as_string(hide_password=True)


def _sqlite_engine(url: URL) -> Engine:
    if url.database:
        folder = Path(url.database).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"The catalog's folder {folder} cannot be created: {error.strerror}") from error
        if not url.database.startswith((":", "file:")):
            prepare(Path(url.database))
    timeout = url.query.get("timeout", BUSY_TIMEOUT_S)  # in the URL as SQLAlchemy reads it, in seconds
    connect = {"timeout": float(str(timeout)), "check_same_thread": False}
    engine = create_engine(url, connect_args=connect, json_deserializer=_from_json)

    @event.listens_for(engine, "connect")
    def _configure(raw: Any, _record: object) -> None:
        raw.isolation_level = None  # `_begin` says when a transaction begins
        _switch_to_wal(raw, patience_s=float(str(timeout)))
        raw.execute("PRAGMA synchronous=FULL")  # a committed row outlives a power cut: the staged file goes after it
        raw.execute("PRAGMA foreign_keys=ON")
        raw.create_function(FOLDED, 1, lambda text: text and folded(text), deterministic=True)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        deferred = connection.get_execution_options().get("deferred")
        connection.exec_driver_sql("BEGIN" if deferred else "BEGIN IMMEDIATE")

    return engine


def _from_json(text: str) -> Any:
    """Read a JSON column in a third of the time of the standard library, which is left what msgspec refuses: NaN."""
    try:
        return msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return json.loads(text)


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
