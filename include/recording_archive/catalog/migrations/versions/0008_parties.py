"""Everybody who took part in a recording, and numbers in the one form in which they are compared.

What is there already is read again from the sidecars afterwards (`recovery.old_parties`); until then a hold that asks
for a person, a queue or a number possibly holds it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns, empty; numbers are found by `party_values` from now on. Holds are spelled anew."""
    op.add_column("recordings", sa.Column("parties", sa.JSON))
    op.add_column("recordings", sa.Column("numbers", sa.JSON))
    op.create_table(
        "party_values",
        sa.Column("field", sa.Text, nullable=False),
        sa.Column("value", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("interaction_id", sa.Text, nullable=False),
        sa.Column("recording_id", sa.Text, nullable=False),
        sa.Column("part", sa.Integer, nullable=False),
        sa.Column("certain", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint(
            "field", "value", "interaction_id", "recording_id", "part", name=op.f("pk_party_values")
        ),
        sqlite_with_rowid=False,
    )
    for name in ("ani", "dnis"):
        op.drop_index(f"ix_recordings_{name}_interaction_date", "recordings")
    unread = sa.text("parties IS NULL")
    key = ["interaction_id", "recording_id", "part"]
    op.create_index("ix_recordings_unread", "recordings", key, sqlite_where=unread, postgresql_where=unread)
    op.execute("DELETE FROM hold_terms")
    op.execute("UPDATE holds SET fields = ''")


def downgrade() -> None:
    """Forget the parties, and find numbers as they were written."""
    for name in ("ani", "dnis"):
        op.create_index(f"ix_recordings_{name}_interaction_date", "recordings", [name, "interaction_date"])
    op.drop_table("party_values")
    op.drop_index("ix_recordings_unread", "recordings")
    op.drop_column("recordings", "numbers")
    op.drop_column("recordings", "parties")
