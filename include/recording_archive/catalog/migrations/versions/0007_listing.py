"""The account of a run's listing: what came of what the source counted, and the gaps."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Keep it from now on."""
    op.add_column("runs", sa.Column("listing", sa.JSON))


def downgrade() -> None:
    """Forget the accounts."""
    op.drop_column("runs", "listing")
