"""Requests of erasure that another person approves, and what each plan foretells for the days after it."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Every plan so far was a run's own, and foretold nothing."""
    op.add_column("plans", sa.Column("requested", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("plans", sa.Column("foretold", sa.JSON))


def downgrade() -> None:
    """Forget both: requests that wait lapse like plans of runs."""
    op.drop_column("plans", "foretold")
    op.drop_column("plans", "requested")
