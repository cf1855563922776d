"""Indexes for who heard what, for failures, and for the few events of no recording."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_INDEXES = {
    "ix_events_heard": ("events", ["at", "kind", "uid"], "kind IN ('played', 'downloaded', 'exported')"),
    "ix_events_archive": ("events", ["kind", "id"], "interaction_id IS NULL"),
    "ix_recordings_failing": (
        "recordings",
        ["failed_since", "interaction_id", "recording_id", "part", "state", "acknowledged_at"],
        "failed_since IS NOT NULL",
    ),
}


def upgrade() -> None:
    """Make them."""
    for name, (table, columns, where) in _INDEXES.items():
        op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def downgrade() -> None:
    """Drop them."""
    for name, (table, _, _) in _INDEXES.items():
        op.drop_index(name, table)
