"""The schema of a catalog: made on first use, upgraded by migrations."""

from __future__ import annotations

from importlib import resources

from sqlalchemy import Connection, inspect, text

from recording_archive.catalog.engines import masked
from recording_archive.catalog.migrations import HEAD, VERSION_TABLE
from recording_archive.catalog.tables import tables
from recording_archive.catalog.total_triggers import make_triggers
from recording_archive.errors import ConfigurationError

_LOCK = 0x7265636F  # PostgreSQL advisory lock: one migration at a time


def migrate(connection: Connection, url: str) -> None:
    """Bring the schema to this version's; refuse one that a newer version of this software made."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    if not inspect(connection).has_table(VERSION_TABLE):
        tables.create_all(connection)  # a test holds that the migrations lead to the same tables
        make_triggers(connection)
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
            f"The catalog {masked(url)} has schema {current!r}, made by a newer version of this software: upgrade it."
        )
    command.upgrade(config, "head")
