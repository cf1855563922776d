"""The schema of a catalog: made, migrated, or refused."""

from __future__ import annotations

import logging
import threading
from contextlib import closing
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, delete, insert, inspect, select, text

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.migrations import HEAD, VERSION_TABLE
from recording_archive.catalog.party_index import index
from recording_archive.catalog.search import Filters, search
from recording_archive.catalog.tables import party_values, recordings, tables
from recording_archive.errors import ConfigurationError
from recording_archive.model import Party
from recording_archive.parties.documents import NAMES, columns


def of_sqlite(thing: Any, *_: object) -> bool:
    """Leave out the indexes of other databases."""
    return bool(thing.info.get("dialect", "sqlite") == "sqlite")


COMPARED = {"version_table": VERSION_TABLE, "include_object": of_sqlite}


def configured(connection: Connection) -> Config:
    """Alembic, to run single steps."""
    config = Config()
    config.set_main_option("script_location", str(resources.files("recording_archive") / "catalog" / "migrations"))
    config.attributes["connection"] = connection
    return config


def test_migrations_lead_to_the_tables_of_the_code() -> None:
    """Every step from nothing, run one by one, ends at what a new catalog gets at once; and back down to nothing."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        config = configured(connection)
        command.upgrade(config, "head")
        context = MigrationContext.configure(connection, opts=COMPARED)
        assert context.get_current_revision() == HEAD
        assert compare_metadata(context, tables) == []
        command.downgrade(config, "base")
        assert inspect(connection).get_table_names() == [VERSION_TABLE]


def test_new_catalog_has_the_tables_of_the_code(catalog: Catalog) -> None:
    """A new catalog differs in nothing from `schema` and knows its version."""
    with catalog.read() as connection:
        context = MigrationContext.configure(connection, opts=COMPARED)
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


OLD_INDEX = (
    "INSERT INTO party_values (field, value, interaction_id, recording_id, part, certain) "
    "SELECT field, value, interaction_id, recording_id, part, certain FROM kept"
)
MANY = (
    "INSERT INTO party_values (field, value, interaction_id, recording_id, part, certain) WITH RECURSIVE "
    "count(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < 110000) "
    "SELECT 'number', 'filler ' || n, 'call-1', 'r', 0, 1 FROM count"
)


def met(number: int) -> dict[str, Any]:
    """A call that somebody else joined, each third of them possibly; each fifth without a date."""
    main = dict.fromkeys(NAMES) | {"ani": "+442079460958"}
    date = None if number % 5 == 0 else datetime(2026, 1, 1 + number * 7 % 20, tzinfo=UTC)
    part = {"interaction_id": f"call-{number}", "recording_id": "r", "part": 0}
    parties = [Party(agent_name="Bob", queue_name=f"Queue {number % 2}", certain=number % 3 > 0)]
    return {**part, "state": "archived", "interaction_date": date, **main, **columns(main, parties, "")}


def test_an_old_index_of_parties_gets_its_dates(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A catalog of schema 10 is opened: whoever was found before is found, in order; the log tells how far it is."""
    url = f"sqlite:///{tmp_path}/old.db"
    with closing(Catalog(url)) as made, made.write() as connection:
        rows = [met(number) for number in range(20)]
        connection.execute(insert(recordings), rows)
        index(connection, rows)
        wanted = connection.execute(select(party_values)).all()
        connection.execute(text("CREATE TABLE kept AS SELECT * FROM party_values"))
        connection.execute(delete(party_values))
        command.downgrade(configured(connection), "0010")
        connection.execute(text(OLD_INDEX))
        connection.execute(text("DROP TABLE kept"))
        connection.execute(text(MANY))
    caplog.set_level(logging.INFO, "recording_archive")
    with closing(Catalog(url)) as opened:
        with opened.read() as connection:
            found = connection.execute(select(party_values).where(party_values.c.value.not_like("filler %"))).all()
            assert found == wanted
            context = MigrationContext.configure(connection, opts=COMPARED)
            assert compare_metadata(context, tables) == []
        for asked in (Filters(agent="bob"), Filters(number="+44 20 7946 0958")):
            first = search(opened, asked, limit=13)
            rest = search(opened, asked, after=first.next)
            dates = [row["interaction_date"] for row in first.rows + rest.rows]
            dated = [date for date in dates if date]
            assert dates == [*sorted(dated, reverse=True), *[None] * 4]
            assert len(dates) == 20
    assert any("110" in each for each in caplog.messages if "index of parties" in each)
