"""Retention: the ledger's segments, holds, plans and dispositions, and how a recording leaves the archive."""

import sqlalchemy as sa
from alembic import op

from recording_archive.catalog.tables import dispositions, fixity_runs, hold_terms, holds, readings, segments

revision = "0003"
down_revision = "0002"

_NEW = (segments, holds, hold_terms, dispositions, fixity_runs, readings)
_PLANS = {  # as it began; `_NEW` are as they still are
    "kind": sa.Text,
    "started_at": None,
    "as_of": None,
    "dry_run": sa.Boolean,
    **{"policy": sa.Text, "reason": sa.Text, "triggered_by": sa.Text, "kept": sa.JSON, "sha256": sa.Text},
    **{"caps": sa.JSON, "approved_by": sa.Text, "approved_at": None, "problem": sa.Text, "closed_at": None},
    **{"report_key": sa.Text, "status": sa.Text},
}
_COLUMNS = {
    "recordings": (("contact_id", sa.Text), ("quarantined_at", None), ("deleting_at", None), ("deletion", sa.JSON)),
    "events": (("segment", sa.Integer),),
}
_INDEXES = (
    ("recordings", ("contact_id",)),
    ("recordings", ("deleting_at",)),
    ("recordings", ("state", "verified_at", "verified_ok")),
    ("events", ("segment", "id")),
)


def upgrade() -> None:
    """Make what is new; events that are there get their names for the ledger."""
    for table in _NEW:
        table.create(op.get_bind())
    _create_plans()
    for name, columns in _COLUMNS.items():
        for column, kind in columns:
            op.add_column(name, sa.Column(column, kind() if kind else sa.DateTime(timezone=True)))
    op.add_column("events", sa.Column("uid", sa.Text(), nullable=False, server_default=""))
    random = {"sqlite": "lower(hex(randomblob(16)))", "postgresql": "replace(gen_random_uuid()::text, '-', '')"}
    op.execute(f"UPDATE events SET uid = {random[op.get_bind().dialect.name]}")  # noqa: S608 - constants
    for name, each in _INDEXES:
        op.create_index(op.f(f"ix_{name}_{'_'.join(each)}"), name, list(each))


def downgrade() -> None:
    """Go back to 0002; holds, plans and the ledger's segments stay in the archive."""
    for name, each in _INDEXES:
        op.drop_index(op.f(f"ix_{name}_{'_'.join(each)}"), table_name=name)
    for name, columns in (*_COLUMNS.items(), ("events", (("uid", None),))):
        for column, _ in columns:
            op.drop_column(name, column)
    for table in reversed(_NEW):
        table.drop(op.get_bind())
    op.drop_table("plans")


def _create_plans() -> None:
    needed = ("kind", "started_at", "as_of", "dry_run")
    columns = [
        sa.Column(name, kind() if kind else sa.DateTime(timezone=True), nullable=name not in needed)
        for name, kind in _PLANS.items()
    ]
    op.create_table(
        "plans",
        sa.Column("run_id", sa.Text(), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_plans")),
    )
    op.create_index(op.f("ix_plans_started_at_run_id"), "plans", ["started_at", "run_id"])
