"""Holds made before are spelled anew: what is equal to what changed.

A hold without fields is compared with every recording, by its criteria as they were given; so each holds what it
means until `holds.rows.respell` has entered its values again.
"""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Forget the old spellings."""
    op.execute("DELETE FROM hold_terms")
    op.execute("UPDATE holds SET fields = ''")


def downgrade() -> None:
    """Leave the values: a hold is compared by its criteria wherever it has no fields."""
