"""Runs migrations on the connection that `catalog` hands over; they are never run from a shell."""

from alembic import context

from recording_archive.catalog.migrations import VERSION_TABLE
from recording_archive.catalog.tables import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
context.run_migrations()
