"""The catalog on a real PostgreSQL: the same tables, the same rules."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import resources

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, insert, inspect, select, text

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.events import record
from recording_archive.catalog.migrations import HEAD, VERSION_TABLE
from recording_archive.catalog.search import Filters, search
from recording_archive.catalog.search_ids import starts
from recording_archive.catalog.tables import events, recordings, tables
from support.services import Postgres
from support.spellings import GUID

pytestmark = pytest.mark.cluster


@pytest.fixture
def url(postgres: Postgres) -> str:
    """An empty database."""
    return postgres.url(f"catalog_{uuid.uuid4().hex}")


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    """A new catalog."""
    opened = Catalog(url)
    yield opened
    opened.close()


def test_migrations_lead_to_the_tables_of_the_code(url: str) -> None:
    """Every step up ends at what a new catalog gets at once, and every step down at nothing."""
    engine = create_engine(url)
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


def test_eight_may_open_a_new_catalog_at_once(url: str) -> None:
    """Several processes that start together migrate once."""
    failures: list[Exception] = []

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


def test_events_keep_their_zone(catalog: Catalog) -> None:
    """A moment comes back as the same moment, aware and in UTC."""
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with catalog.write() as connection:
        record(connection, "seen", None, at=now)
    with catalog.read() as connection:
        assert connection.execute(select(events.c.at)).scalar_one() == now


def test_the_start_of_an_id_is_found_by_its_index(catalog: Catalog) -> None:
    """The server sorts texts by language, the index by bytes; a GUID is found in either case."""
    names = (GUID, GUID.upper().replace("4F2A", "4F2B"), "4f2-a9c00", "call-1")
    with catalog.write() as connection:
        rows = [{"interaction_id": each, "recording_id": each, "part": 0, "state": "archived"} for each in names]
        connection.execute(insert(recordings), rows)
    for start, wanted in ((GUID[:7].upper(), {names[0]}), ("4f2b9c00-", {names[1]}), ("4f2-a9", {names[2]})):
        assert {row["interaction_id"] for row in search(catalog, Filters(text=start)).rows} == wanted
    with catalog.read() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        (condition, *_) = starts(connection, "call-1")
        query = select(recordings.c.part).where(condition).compile(connection, compile_kwargs={"literal_binds": True})
        assert "ix_recordings_interaction_id_start" in str(connection.execute(text(f"EXPLAIN {query}")).all())


def test_a_restart_of_the_server_is_survived(catalog: Catalog, postgres: Postgres) -> None:
    """Connections that the server cut are replaced without an error."""
    with catalog.read() as connection:
        connection.execute(select(events)).all()
    postgres.restart()
    with catalog.read() as connection:
        assert connection.execute(select(events)).all() == []
