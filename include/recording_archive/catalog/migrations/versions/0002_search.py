"""Indexes for searching a large catalog, each in the order of dates."""

from collections.abc import Mapping

from alembic import op

revision = "0002"
down_revision = "0001"

_NEW = {
    "recordings": (
        ("interaction_date", "interaction_id", "recording_id", "part"),
        ("recording_id",),
        ("agent_name", "interaction_date"),
        ("queue_name", "interaction_date"),
        ("ani", "interaction_date"),
        ("dnis", "interaction_date"),
        ("state", "interaction_date", "size_bytes", "stored_bytes"),
        ("verified_ok", "interaction_date"),
        ("duration_ms",),
        ("verified_at", "verified_ok"),
    ),
    "runs": (("started_at", "run_id"),),
}
_OLD = {"recordings": (("interaction_date",), ("ani",), ("dnis",), ("state", "interaction_date"), ("verified_at",))}


def upgrade() -> None:
    """Make the new indexes, and drop those that the new ones begin with."""
    _make(_NEW)
    _drop(_OLD)


def downgrade() -> None:
    """Go back to the indexes of 0001."""
    _make(_OLD)
    _drop(_NEW)


def _make(indexes: Mapping[str, tuple[tuple[str, ...], ...]]) -> None:
    for table, each in indexes.items():
        for columns in each:
            op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


def _drop(indexes: Mapping[str, tuple[tuple[str, ...], ...]]) -> None:
    for table, each in indexes.items():
        for columns in each:
            op.drop_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table_name=table)
