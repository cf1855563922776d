"""Progress of those who vouch for the ledger, as this catalog saw it: for the overview, without reading the archive.

Nothing is filled in: the end of the next run notes it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the table, empty."""
    op.create_table(
        "vouched",
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("segment", sa.Integer, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_vouched")),
    )


def downgrade() -> None:
    """Forget it; the archive has the marks."""
    op.drop_table("vouched")
