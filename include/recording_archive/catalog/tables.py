"""The catalog's tables, as SQLAlchemy Core; migrations/ holds the steps that lead here."""

from __future__ import annotations

import uuid
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
    false,
    literal_column,
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime; SQLite, which keeps no zone, stores UTC and gives it its zone back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        """The type of its values; before 2.0.48 SQLAlchemy does not ask the decorated type for it."""
        return datetime

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_Serial = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows only in INTEGER PRIMARY KEY

_Bytewise = Text().with_variant(Text(collation="C"), "postgresql")  # sorted as SQLite does, whatever the language

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
    Column("contact_id", Text),
    # who else took part, as `parties` reads it; None: made by a version that did not ask, and not yet read again
    Column("parties", JSON(none_as_null=True)),
    Column("numbers", JSON(none_as_null=True)),
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
    # how it leaves the archive
    Column("quarantined_at", UtcDateTime),
    Column("deleting_at", UtcDateTime),  # set before the first byte goes; cleared with the last, or by a hold before it
    Column("deletion", JSON),  # why, by which policy version, in which run, by whose approval; or restoredUntil
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
    ("state", "interaction_date", "size_bytes", "stored_bytes"),  # statistics are read from it alone
    ("verified_ok", "interaction_date"),
    ("duration_ms",),
    ("contact_id",),
    ("deleting_at",),
    ("retry_at",),
    ("failed_since",),
    ("verified_at", "verified_ok"),
    ("state", "verified_at", "verified_ok"),  # what verify_archive reads next, and how fresh the proof is
):
    Index(None, *(recordings.c[name] for name in _columns))
_unread = recordings.c.parties.is_(None)
Index("ix_recordings_unread", *recordings.primary_key, sqlite_where=_unread, postgresql_where=_unread)
_failing = recordings.c.failed_since.is_not(None)
Index(
    "ix_recordings_failing",  # failures, the longest failing first: they are counted from it alone
    recordings.c.failed_since,
    *recordings.primary_key,
    recordings.c.state,
    recordings.c.acknowledged_at,
    sqlite_where=_failing,
    postgresql_where=_failing,
)
for _name in ("interaction_id", "recording_id"):  # finds the start of an id where texts are sorted by language
    _start = Index(f"ix_recordings_{_name}_start", recordings.c[_name], postgresql_ops={_name: "text_pattern_ops"})
    _start.ddl_if(dialect="postgresql").info["dialect"] = "postgresql"


UNDATED = datetime.min.replace(microsecond=1, tzinfo=UTC)
"""The date in `party_values` of a recording without one, whose key takes no NULL; no source says it of a call."""

party_values = Table(
    "party_values",  # finds recordings by their numbers, and by parties beside those of their own columns
    tables,
    Column("field", Text, primary_key=True),  # of parties.values.FIELDS, or LACKS
    Column("value", _Bytewise, primary_key=True),  # in the spelling that stands for all others
    Column("interaction_date", UtcDateTime, primary_key=True),  # its recording's, so that a value's come in order
    Column("interaction_id", Text, primary_key=True),
    Column("recording_id", Text, primary_key=True),
    Column("part", Integer, primary_key=True),
    Column("certain", Boolean, nullable=False),
    sqlite_with_rowid=False,  # one tree instead of two
)

day_totals = Table(
    "day_totals",  # recordings counted by day: `total_triggers` keeps it, beside each change of `recordings`
    tables,
    Column("axis", Text, primary_key=True),  # of day_totals.Axis: the date that the day is of
    Column("day", _Bytewise, primary_key=True),  # in UTC, as 2026-11-28; empty: without that date
    Column("state", Text, primary_key=True),
    Column("verdict", Text, primary_key=True),  # of day_totals.Verdict
    # 0; on PostgreSQL the transaction that counted, until its rows are folded into those of 0: no writer waits
    Column("entry", BigInteger, primary_key=True, autoincrement=False),
    Column("recordings", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("stored_bytes", BigInteger, nullable=False),
    Column("decided", BigInteger, nullable=False),  # those with a `deletion`
    sqlite_with_rowid=False,
)

runs = Table(
    "runs",
    tables,
    Column("run_id", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("kind", Text, nullable=False),  # scheduled | range | asked
    Column("range_start", UtcDateTime),
    Column("range_end", UtcDateTime),
    Column("started_at", UtcDateTime, nullable=False),
    Column("asked", Integer),  # set when the source was listed to its end
    Column("problem", Text),  # makes the run failed, whatever its totals
    Column("closed_at", UtcDateTime),
    Column("report_key", Text),
    Column("status", Text),
    Column("api_requests", Integer, nullable=False, server_default="0"),  # to the source's API, by all tasks
    Column("listing", JSON),  # what came of what the source counted, and the gaps; None where it does not tell
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
    "coverage",  # ranges of time whose recordings all have work rows
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
    # its name in the ledger: row ids start again in a rebuilt catalog
    Column("uid", Text, nullable=False, server_default="", default=lambda: uuid.uuid4().hex),
    Column("segment", Integer),  # of the ledger; None until it is sealed
    Index(None, "interaction_id"),
    Index(None, "segment", "id"),
)
HEARD = events.c.kind.in_([literal_column(f"'{kind}'") for kind in ("played", "downloaded", "exported")])
"""Accesses to what is archived; in words, not as parameters, by which a database finds the index."""

Index("ix_events_heard", events.c.at, events.c.kind, events.c.uid, sqlite_where=HEARD, postgresql_where=HEARD)
_of_all = events.c.interaction_id.is_(None)  # of no recording: policies put to use, lists that were exported
Index("ix_events_archive", events.c.kind, events.c.id, sqlite_where=_of_all, postgresql_where=_of_all)

segments = Table(
    "segments",  # of the ledger, as far as this catalog knows it; one in the archive and not here means: reindex
    tables,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("sha256", Text, nullable=False),  # of its last line: the ledger's head after it
    Column("events", Integer, nullable=False),
    Column("sealed_at", UtcDateTime, nullable=False),
)

vouched = Table(
    "vouched",  # how far the ledger is signed, stamped and witnessed, as this catalog saw it; the archive has the marks
    tables,
    Column("kind", Text, primary_key=True),  # of ledger.vouched
    Column("segment", Integer, nullable=False),  # the newest; each covers all before it
    Column("at", UtcDateTime, nullable=False),
)

holds = Table(
    "holds",  # legal holds; each is a document in the archive first, and its release another
    tables,
    Column("id", Text, primary_key=True),
    Column("matter", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("start", UtcDateTime),  # of the interaction dates it covers, half-open; None: without a limit
    Column("end", UtcDateTime),
    Column("criteria", JSON, nullable=False),  # as they were given
    Column("fields", Text, nullable=False),  # those of hold_terms that it asks for, sorted and joined by commas
    Column("key", Text, nullable=False),
    Column("released_at", UtcDateTime),
    Column("released_by", Text),
    Column("release_reason", Text),
    Index(None, "released_at", "fields", "start"),
    Index(None, "created_at", "id"),
)

hold_terms = Table(
    "hold_terms",  # what a hold asks for: any value of a field, and all of its fields
    tables,
    Column("field", Text, primary_key=True),  # of holds.criteria.COLUMNS
    Column("value", Text, primary_key=True),  # in the spelling that stands for all others
    Column("hold_id", Text, primary_key=True),
    Index(None, "hold_id"),
)

plans = Table(
    "plans",  # runs of enforce_retention and erasures
    tables,
    Column("run_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # retention | erasure
    Column("started_at", UtcDateTime, nullable=False),
    Column("as_of", UtcDateTime, nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("policy", Text),  # version: the SHA-256 of its document
    Column("reason", Text),  # of an erasure
    Column("triggered_by", Text),  # who must not be the one that approves; None: the schedule
    Column("kept", JSON),  # how many stay, by reason
    Column("sha256", Text),  # of what it is about to do: an approval names it
    Column("caps", JSON),  # what exceeds which limit; empty when no one need approve
    Column("approved_by", Text),
    Column("approved_at", UtcDateTime),
    Column("problem", Text),
    Column("closed_at", UtcDateTime),
    Column("report_key", Text),
    Column("status", Text),
    Column("requested", Boolean, nullable=False, server_default=false()),  # an erasure that no run of Airflow's made
    Column("foretold", JSON),  # what the policy makes due in the days after, to which later plans are compared
    Index(None, "started_at", "run_id"),
)

dispositions = Table(
    "dispositions",  # what one plan does with one part
    tables,
    Column("id", _Serial, primary_key=True, autoincrement=True),
    Column("run_id", Text, nullable=False),
    Column("interaction_id", Text, nullable=False),
    Column("recording_id", Text, nullable=False),
    Column("part", Integer, nullable=False),
    Column("action", Text, nullable=False),  # quarantine | purge | erase | restore
    Column("rule", Text),
    Column("due_at", UtcDateTime),
    Column("interaction_date", UtcDateTime),
    Column("sha256", Text),
    Column("stored_sha256", Text),
    Column("stored_bytes", BigInteger),
    Column("outcome", Text),  # done | kept | pending | failed; None while it is to be done
    Column("why", Text),  # it was kept, is pending or failed
    Column("certificate", Text),
    UniqueConstraint("run_id", "interaction_id", "recording_id", "part"),
    Index(None, "run_id", "outcome"),
    Index(None, "interaction_id"),
)

fixity_runs = Table(
    "fixity_runs",  # runs of verify_archive
    tables,
    Column("run_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # due | everything | asked | sweep
    Column("started_at", UtcDateTime, nullable=False),
    Column("planned", Integer),  # set when the plan is whole
    Column("facts", JSON, nullable=False),  # what its tasks found: swept, strays, ledger …
    Column("counts", JSON),  # of its readings, when it closed
    Column("problem", Text),  # makes the run failed, whatever it read
    Column("closed_at", UtcDateTime),
    Column("report_key", Text),
    Column("status", Text),
    Index(None, "started_at", "run_id"),
)

readings = Table(
    "readings",  # what one run of verify_archive found of one part or stray file; sound ones go when it closes
    tables,
    Column("id", _Serial, primary_key=True, autoincrement=True),
    Column("run_id", Text, nullable=False),
    Column("batch", Integer),
    Column("interaction_id", Text),  # None for a file that has no name of ours
    Column("recording_id", Text),
    Column("part", Integer),
    Column("key", Text),
    Column("stored_bytes", BigInteger, nullable=False, server_default="0"),
    Column("outcome", Text),  # sound | bad | repaired | gone | absent | stray; None while it is to be read
    Column("problem", Text),
    Column("why", Text),  # it was not repaired
    Index(None, "run_id", "batch"),
)
