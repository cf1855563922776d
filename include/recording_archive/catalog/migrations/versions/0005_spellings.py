"""Holds made before are spelled anew, for what is equal to what changed; and the start of an id finds it.

A hold without fields is compared with every recording, by its criteria as they were given; so each holds what it
means until `holds.rows.respell` has entered its values again.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
_IDS = ("interaction_id", "recording_id")


def upgrade() -> None:
    """Forget the old spellings; PostgreSQL gets indexes by bytes, which SQLite has anyway."""
    op.execute("DELETE FROM hold_terms")
    op.execute("UPDATE holds SET fields = ''")
    if op.get_context().dialect.name == "postgresql":
        for name in _IDS:
            ops = {name: "text_pattern_ops"}
            op.create_index(f"ix_recordings_{name}_start", "recordings", [name], postgresql_ops=ops)


def downgrade() -> None:
    """Leave the values: a hold is compared by its criteria wherever it has no fields."""
    if op.get_context().dialect.name == "postgresql":
        for name in _IDS:
            op.drop_index(f"ix_recordings_{name}_start", "recordings")
