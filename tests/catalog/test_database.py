"""Transactions of the catalog, and its bond with one archive."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.events import record
from recording_archive.catalog.tables import events
from recording_archive.errors import StoreError
from recording_archive.model import PartId

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_catalog_belongs_to_one_archive(catalog: Catalog) -> None:
    """Once bound, a catalog refuses another archive, naming both."""
    catalog.bind("a" * 32, NOW)
    catalog.bind("a" * 32, NOW)
    with pytest.raises(StoreError, match=r"indexes archive a{32}, not b{32}"):
        catalog.bind("b" * 32, NOW)


def test_a_failed_transaction_leaves_nothing(catalog: Catalog) -> None:
    """What a block wrote before it raised is gone."""

    def half_done() -> None:
        with catalog.write() as connection:
            record(connection, "seen", PartId("a", "a"), at=NOW)
            raise KeyError

    with pytest.raises(KeyError):
        half_done()
    with catalog.read() as connection:
        assert connection.execute(select(func.count()).select_from(events)).scalar_one() == 0


def test_many_writers_wait_for_each_other(catalog: Catalog, tmp_path: Path) -> None:
    """Transactions that read and then write, from many connections at once, all succeed and lose nothing."""
    failures: list[Exception] = []

    def count_up() -> None:
        own = Catalog(f"sqlite:///{tmp_path}/catalog.db")
        try:
            for _ in range(20):
                with own.write() as connection:
                    seen = connection.execute(select(func.count()).select_from(events)).scalar_one()
                    record(connection, "seen", PartId("a", "a", seen), at=NOW)
        except Exception as error:
            failures.append(error)
        own.close()

    threads = [threading.Thread(target=count_up) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with catalog.read() as connection:
        assert connection.execute(select(func.count(events.c.part.distinct()))).scalar_one() == 120


def test_times_come_back_aware(catalog: Catalog) -> None:
    """A moment is stored in UTC and read back equal, with its zone."""
    with catalog.write() as connection:
        record(connection, "seen", None, at=NOW)
    with catalog.read() as connection:
        (found,) = connection.execute(select(events.c.at)).scalars()
    assert found == NOW
    assert found.tzinfo is UTC
