"""Totals of recordings by day, kept by triggers; what is there already is counted once."""

import logging

import sqlalchemy as sa
from alembic import op

from recording_archive.catalog.total_triggers import drop_triggers, fill, make_triggers

revision = "0012"
down_revision = "0011"

_log = logging.getLogger("recording_archive.catalog.migrations")


def upgrade() -> None:
    """Make the table and the triggers, then count: on PostgreSQL the triggers keep others from writing meanwhile."""
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "day_totals",
        sa.Column("axis", sa.Text, nullable=False),
        sa.Column("day", text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("entry", sa.BigInteger, nullable=False, autoincrement=False),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("recordings", "size_bytes", "stored_bytes", "decided")
        ),
        sa.PrimaryKeyConstraint("axis", "day", "state", "verdict", "entry", name=op.f("pk_day_totals")),
        sqlite_with_rowid=False,
    )
    connection = op.get_bind()
    make_triggers(connection)
    rows = connection.execute(sa.text("SELECT count(*) FROM recordings")).scalar()
    if rows:
        _log.info("Counting %s recordings by day, once: some seconds for a million", f"{rows:,}")
        fill(connection)
        _log.info("Counted")


def downgrade() -> None:
    """Forget them."""
    drop_triggers(op.get_bind())
    op.drop_table("day_totals")
