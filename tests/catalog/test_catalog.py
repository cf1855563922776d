"""The catalog: migrations, transactions, and its bond with one archive."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, func, inspect, select, text

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.events import record
from recording_archive.catalog.migrations import HEAD, VERSION_TABLE
from recording_archive.catalog.tables import events, tables
from recording_archive.errors import ConfigurationError, StoreError, TransientError
from recording_archive.model import PartId

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog(f"sqlite:///{tmp_path}/catalog.db")
    yield opened
    opened.close()


def test_migrations_lead_to_the_tables_of_the_code() -> None:
    """Every step from nothing, run one by one, ends at what a new catalog gets at once; and back down to nothing."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(resources.files("recording_archive") / "catalog" / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert context.get_current_revision() == HEAD
        assert compare_metadata(context, tables) == []
        command.downgrade(config, "base")
        assert inspect(connection).get_table_names() == [VERSION_TABLE]


def test_new_catalog_has_the_tables_of_the_code(catalog: Catalog) -> None:
    """A new catalog differs in nothing from `schema` and knows its version."""
    with catalog.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert context.get_current_revision() == HEAD
        assert compare_metadata(context, tables) == []


def test_two_may_open_a_new_catalog_at_once(tmp_path: Path) -> None:
    """Several processes that start together migrate once."""
    url, failures = f"sqlite:///{tmp_path}/new.db", []

    def start() -> None:
        try:
            Catalog(url).close()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_newer_schema_is_refused(catalog: Catalog) -> None:
    """A catalog that a newer version migrated is left alone, with the remedy named."""
    with catalog.write() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))  # noqa: S608 - a constant
    with pytest.raises(ConfigurationError, match="newer version of this software: upgrade"):
        Catalog(catalog.url)


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


@pytest.mark.parametrize("url", ["nonsense", "oracle9://x"])
def test_unusable_url_is_a_named_error(url: str) -> None:
    """A URL that no installed driver knows is refused by the setting's name."""
    with pytest.raises(ConfigurationError, match="RECORDING_ARCHIVE_CATALOG_URL"):
        Catalog(url)


def test_password_stays_out_of_errors() -> None:
    """An error about the catalog hides the password in its URL."""
    with pytest.raises((TransientError, ConfigurationError)) as caught:
        Catalog("postgresql://user:hunter2@127.0.0.1:1/x")
    assert "hunter2" not in str(caught.value)
