"""The first schema: recordings, runs, work, coverage, events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "archive",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_archive")),
    )
    op.create_table(
        "coverage",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coverage")),
    )
    op.create_index(op.f("ix_coverage_source_start"), "coverage", ["source", "start"], unique=False)
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("interaction_id", sa.Text(), nullable=True),
        sa.Column("recording_id", sa.Text(), nullable=True),
        sa.Column("part", sa.Integer(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index(op.f("ix_events_interaction_id"), "events", ["interaction_id"], unique=False)
    op.create_table(
        "recordings",
        sa.Column("interaction_id", sa.Text(), nullable=False),
        sa.Column("recording_id", sa.Text(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("interaction_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("agent_id", sa.Text(), nullable=True),
        sa.Column("agent_name", sa.Text(), nullable=True),
        sa.Column("queue_id", sa.Text(), nullable=True),
        sa.Column("queue_name", sa.Text(), nullable=True),
        sa.Column("ani", sa.Text(), nullable=True),
        sa.Column("dnis", sa.Text(), nullable=True),
        sa.Column("direction", sa.Text(), nullable=True),
        sa.Column("media_type", sa.Text(), nullable=True),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True),
        sa.Column("division", sa.Text(), nullable=True),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("mime_type", sa.Text(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("stored_sha256", sa.Text(), nullable=True),
        sa.Column("stored_bytes", sa.BigInteger(), nullable=True),
        sa.Column("sidecar_sha256", sa.Text(), nullable=True),
        sa.Column("source_checksum", sa.Text(), nullable=True),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("archived_by", sa.Text(), nullable=True),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verified_ok", sa.Boolean(), nullable=True),
        sa.Column("certificate", sa.Text(), nullable=True),
        sa.Column("failed_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("interaction_id", "recording_id", "part", name=op.f("pk_recordings")),
        sa.UniqueConstraint("key", name=op.f("uq_recordings")),
    )
    op.create_index(
        op.f("ix_recordings_agent_id_interaction_date"), "recordings", ["agent_id", "interaction_date"], unique=False
    )
    op.create_index(op.f("ix_recordings_ani"), "recordings", ["ani"], unique=False)
    op.create_index(op.f("ix_recordings_dnis"), "recordings", ["dnis"], unique=False)
    op.create_index(op.f("ix_recordings_failed_since"), "recordings", ["failed_since"], unique=False)
    op.create_index(op.f("ix_recordings_interaction_date"), "recordings", ["interaction_date"], unique=False)
    op.create_index(
        op.f("ix_recordings_queue_id_interaction_date"), "recordings", ["queue_id", "interaction_date"], unique=False
    )
    op.create_index(op.f("ix_recordings_retry_at"), "recordings", ["retry_at"], unique=False)
    op.create_index(
        op.f("ix_recordings_state_interaction_date"), "recordings", ["state", "interaction_date"], unique=False
    )
    op.create_index(op.f("ix_recordings_verified_at"), "recordings", ["verified_at"], unique=False)
    op.create_table(
        "runs",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("range_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("range_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("report_key", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_runs")),
    )
    op.create_index(op.f("ix_runs_closed_at"), "runs", ["closed_at"], unique=False)
    op.create_table(
        "work",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=True),
        sa.Column("interaction_id", sa.Text(), nullable=False),
        sa.Column("recording_id", sa.Text(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("carried_over", sa.Boolean(), nullable=False),
        sa.Column("interaction_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expected_sha256", sa.Text(), nullable=True),
        sa.Column("expected_bytes", sa.BigInteger(), nullable=False),
        sa.Column("staged", sa.Boolean(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("listing", sa.JSON(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("wire_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("requests", sa.Integer(), server_default="0", nullable=False),
        sa.Column("extension", sa.Text(), nullable=True),
        sa.Column("mime_type", sa.Text(), nullable=True),
        sa.Column("source_host", sa.Text(), nullable=True),
        sa.Column("source_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("source_checksum", sa.Text(), nullable=True),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("stored_sha256", sa.Text(), nullable=True),
        sa.Column("stored_bytes", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work")),
        sa.UniqueConstraint("run_id", "interaction_id", "recording_id", "part", name=op.f("uq_work")),
    )
    op.create_index(op.f("ix_work_interaction_id"), "work", ["interaction_id"], unique=False)
    op.create_index(op.f("ix_work_run_id_batch"), "work", ["run_id", "batch"], unique=False)


def downgrade() -> None:
    """Drop every table."""
    op.drop_index(op.f("ix_work_run_id_batch"), table_name="work")
    op.drop_index(op.f("ix_work_interaction_id"), table_name="work")
    op.drop_table("work")
    op.drop_index(op.f("ix_runs_closed_at"), table_name="runs")
    op.drop_table("runs")
    op.drop_index(op.f("ix_recordings_verified_at"), table_name="recordings")
    op.drop_index(op.f("ix_recordings_state_interaction_date"), table_name="recordings")
    op.drop_index(op.f("ix_recordings_retry_at"), table_name="recordings")
    op.drop_index(op.f("ix_recordings_queue_id_interaction_date"), table_name="recordings")
    op.drop_index(op.f("ix_recordings_interaction_date"), table_name="recordings")
    op.drop_index(op.f("ix_recordings_failed_since"), table_name="recordings")
    op.drop_index(op.f("ix_recordings_dnis"), table_name="recordings")
    op.drop_index(op.f("ix_recordings_ani"), table_name="recordings")
    op.drop_index(op.f("ix_recordings_agent_id_interaction_date"), table_name="recordings")
    op.drop_table("recordings")
    op.drop_index(op.f("ix_events_interaction_id"), table_name="events")
    op.drop_table("events")
    op.drop_index(op.f("ix_coverage_source_start"), table_name="coverage")
    op.drop_table("coverage")
    op.drop_table("archive")
