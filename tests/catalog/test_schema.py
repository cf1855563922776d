"""The schema of a catalog: made, migrated, or refused."""

from __future__ import annotations

import threading
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.migrations import HEAD, VERSION_TABLE
from recording_archive.catalog.tables import tables
from recording_archive.errors import ConfigurationError


def of_sqlite(thing: Any, *_: object) -> bool:
    """Leave out the indexes of other databases."""
    return bool(thing.info.get("dialect", "sqlite") == "sqlite")


COMPARED = {"version_table": VERSION_TABLE, "include_object": of_sqlite}


def test_migrations_lead_to_the_tables_of_the_code() -> None:
    """Every step from nothing, run one by one, ends at what a new catalog gets at once; and back down to nothing."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(resources.files("recording_archive") / "catalog" / "migrations"))
        config.attributes["connection"] = connection
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
