"""The number of requests to the source's API that a run has made."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Count from now on."""
    op.add_column("runs", sa.Column("api_requests", sa.Integer, nullable=False, server_default="0"))


def downgrade() -> None:
    """Forget the counts."""
    op.drop_column("runs", "api_requests")
