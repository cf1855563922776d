"""The catalog: one database, opened, migrated and used in transactions.

SQLite (WAL, local disk) by default, PostgreSQL by URL. The catalog is an index: all that must outlive it is in the
archive, and `recording-archive reindex` rebuilds it from there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import DBAPIError

from recording_archive.catalog.engines import masked, open_engine, translated
from recording_archive.catalog.schema import migrate
from recording_archive.catalog.tables import archive
from recording_archive.errors import StoreError, TransientError


class Catalog:
    """One database, migrated on first use. Safe to share between the threads of a process."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = open_engine(url)
        self._writing = threading.Lock()
        try:
            with self.write() as connection:
                migrate(connection, url)
        except DBAPIError as error:
            raise TransientError(f"Catalog {masked(url)} cannot be opened: {error.orig}") from error

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that writes: committed at the end of the block, rolled back when it raises.

        One writer per process, and BEGIN IMMEDIATE on SQLite: a deferred transaction that reads and then writes fails
        under other writers whatever the busy timeout.
        """
        with self._writing, translated(self.url), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one consistent state and takes no write lock."""
        with translated(self.url), self.engine.connect() as connection:
            yield connection.execution_options(deferred=True)

    def archive_id(self) -> str | None:
        """The id of the archive this catalog indexes, or None while it indexes none."""
        with self.read() as connection:
            return connection.execute(select(archive.c.id)).scalar_one_or_none()

    def bind(self, archive_id: str, created_at: datetime) -> None:
        """Write which archive this catalog indexes; raise StoreError when it indexes another."""
        with self.write() as connection:
            known = connection.execute(select(archive.c.id)).scalar_one_or_none()
            if known is None:
                connection.execute(insert(archive).values(id=archive_id, created_at=created_at))
            elif known != archive_id:
                raise StoreError(f"The catalog {masked(self.url)} indexes archive {known}, not {archive_id}")

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
