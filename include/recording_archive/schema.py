"""The catalog's tables, as SQLAlchemy Core; migrations/ holds the steps that lead here."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime; SQLite, which keeps no zone, stores UTC and gives it its zone back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_Serial = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows only in INTEGER PRIMARY KEY

tables = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

archive = Table(
    "archive",
    tables,
    Column("id", Text, primary_key=True),  # that of archive.json: the two must agree before anything is written
    Column("created_at", UtcDateTime, nullable=False),
)

recordings = Table(
    "recordings",  # one row per part; rows are never deleted
    tables,
    Column("interaction_id", Text, primary_key=True),
    Column("recording_id", Text, primary_key=True),
    Column("part", Integer, primary_key=True),
    Column("state", Text, nullable=False),
    Column("interaction_date", UtcDateTime),
    Column("agent_id", Text),
    Column("agent_name", Text),
    Column("queue_id", Text),
    Column("queue_name", Text),
    Column("ani", Text),
    Column("dnis", Text),
    Column("direction", Text),
    Column("media_type", Text),
    Column("duration_ms", BigInteger),
    Column("division", Text),
    # what was archived
    Column("key", Text, unique=True),
    Column("mime_type", Text),
    Column("sha256", Text),
    Column("size_bytes", BigInteger),
    Column("stored_sha256", Text),
    Column("stored_bytes", BigInteger),
    Column("sidecar_sha256", Text),
    Column("source_checksum", Text),
    Column("archived_at", UtcDateTime),
    Column("archived_by", Text),  # run id
    Column("verified_at", UtcDateTime),
    Column("verified_ok", Boolean),
    Column("certificate", Text),
    # what went wrong so far
    Column("failed_since", UtcDateTime),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("retry_at", UtcDateTime),
    Column("last_error", Text),
    Column("acknowledged_at", UtcDateTime),
)
for _columns in (
    ("interaction_date", "interaction_id", "recording_id", "part"),  # the order of a search, to its last tie
    ("recording_id",),
    ("agent_id", "interaction_date"),
    ("agent_name", "interaction_date"),
    ("queue_id", "interaction_date"),
    ("queue_name", "interaction_date"),
    ("ani", "interaction_date"),
    ("dnis", "interaction_date"),
    ("state", "interaction_date", "size_bytes", "stored_bytes"),  # statistics are read from it alone
    ("verified_ok", "interaction_date"),
    ("duration_ms",),
    ("retry_at",),
    ("failed_since",),
    ("verified_at", "verified_ok"),
):
    Index(None, *(recordings.c[name] for name in _columns))

runs = Table(
    "runs",
    tables,
    Column("run_id", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("kind", Text, nullable=False),  # scheduled | backfill | asked
    Column("range_start", UtcDateTime),
    Column("range_end", UtcDateTime),
    Column("started_at", UtcDateTime, nullable=False),
    Column("asked", Integer),  # set when the source was listed to its end
    Column("problem", Text),  # what makes the run failed whatever its books say
    Column("closed_at", UtcDateTime),
    Column("report_key", Text),
    Column("status", Text),
    Index(None, "closed_at"),
    Index(None, "started_at", "run_id"),
)

work = Table(
    "work",  # what one run did with one part
    tables,
    Column("id", _Serial, primary_key=True, autoincrement=True),
    Column("run_id", Text, nullable=False),
    Column("batch", Integer),
    Column("interaction_id", Text, nullable=False),
    Column("recording_id", Text, nullable=False),  # empty for an asked id that the source does not have
    Column("part", Integer, nullable=False),
    Column("carried_over", Boolean, nullable=False),
    Column("interaction_date", UtcDateTime),
    Column("expected_sha256", Text),
    Column("expected_bytes", BigInteger, nullable=False),
    Column("staged", Boolean, nullable=False),
    Column("outcome", Text),
    Column("error", Text),
    Column("listing", JSON),  # attributes and source fields at download time, for the sidecar; without the media URL
    Column("sha256", Text),
    Column("size_bytes", BigInteger),
    Column("wire_bytes", BigInteger, nullable=False, server_default="0"),
    Column("requests", Integer, nullable=False, server_default="0"),
    Column("extension", Text),
    Column("mime_type", Text),
    Column("source_host", Text),
    Column("source_date", UtcDateTime),
    Column("fetched_at", UtcDateTime),
    Column("source_checksum", Text),
    Column("key", Text),
    Column("stored_sha256", Text),
    Column("stored_bytes", BigInteger),
    UniqueConstraint("run_id", "interaction_id", "recording_id", "part"),
    Index(None, "run_id", "batch"),
    Index(None, "interaction_id"),
)

coverage = Table(
    "coverage",  # ranges of time whose recordings are all in the books
    tables,
    Column("id", _Serial, primary_key=True, autoincrement=True),
    Column("source", Text, nullable=False),
    Column("start", UtcDateTime, nullable=False),
    Column("end", UtcDateTime, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("closed_at", UtcDateTime, nullable=False),
    Index(None, "source", "start"),
)

events = Table(
    "events",  # append-only; the ledger is sealed from it
    tables,
    Column("id", _Serial, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", Text, nullable=False),
    Column("interaction_id", Text),
    Column("recording_id", Text),
    Column("part", Integer),
    Column("run_id", Text),
    Column("actor", Text),
    Column("detail", JSON),
    Index(None, "interaction_id"),
)
