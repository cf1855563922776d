"""What the API says of recordings, runs and failures: the JSON names and types, in one place.

Pages show the same objects, by their Python names.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from recording_archive.archive import Archive
from recording_archive.model import PartId, State


class Document(BaseModel):
    """Camel case outside, snake case inside."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class RecordingRow(Document):
    """One part. Sizes in bytes, hashes SHA-256 in hex; ``file_path`` is the key below the archive's root.

    ``needs_decision`` is True for a failure that no run takes up again and nobody has acknowledged.
    """

    interaction_id: str
    recording_id: str
    part: int
    state: State
    interaction_date: datetime | None
    agent_id: str | None
    agent_name: str | None
    queue_id: str | None
    queue_name: str | None
    ani: str | None
    dnis: str | None
    direction: str | None
    media_type: str | None
    duration_ms: int | None
    division: str | None
    file_path: str | None
    mime_type: str | None
    bytes: int | None
    stored_bytes: int | None
    sha256: str | None
    source_checksum: str | None
    archived_at: datetime | None
    run_id: str | None
    verified_at: datetime | None
    verified_ok: bool | None
    failed_since: datetime | None
    failures: int
    last_error: str | None
    retry_at: datetime | None
    acknowledged_at: datetime | None
    needs_decision: bool

    @property
    def part_id(self) -> PartId:
        """Interaction, recording and ordinal as one value."""
        return PartId(self.interaction_id, self.recording_id, self.part)

    @property
    def playable(self) -> bool:
        """Whether its bytes may be heard."""
        return self.state is State.ARCHIVED


class RecordingPage(Document):
    """A page of a search; ``unknown`` are ids asked for that the catalog does not have."""

    items: list[RecordingRow]
    next: str | None
    unknown: list[str] = []


class Happening(Document):
    """One event of a part's life."""

    at: datetime
    kind: str
    run_id: str | None
    actor: str | None
    detail: dict[str, Any] | None


class RecordingDetails(RecordingRow):
    """Everything known of one part; ``parts`` are all parts of its interaction, itself included."""

    stored_sha256: str | None
    sidecar_sha256: str | None
    certificate: str | None
    sidecar: dict[str, Any] | None
    sidecar_problem: str | None
    timeline: list[Happening]
    parts: list[RecordingRow]


class RunRow(Document):
    """One run of `archive_recordings`; ``asked`` is None while the source was not listed to its end."""

    run_id: str
    source: str
    kind: str
    range_start: datetime | None
    range_end: datetime | None
    started_at: datetime
    closed_at: datetime | None
    status: str | None
    asked: int | None
    problem: str | None
    report_key: str | None


class RunPage(Document):
    """A page of runs, newest first."""

    items: list[RunRow]
    next: str | None


class RunDetails(RunRow):
    """A run with its totals by name: those of its report, or the books so far."""

    totals: dict[str, int]
    problems: list[str]


class DayFigures(Document):
    """Archived recordings of one day of the archive's zone, by interaction date."""

    date: date
    recordings: int
    bytes: int
    stored_bytes: int


class Reason(Document):
    """Failures not resolved so far (the latest 10,000), one wording for all that differ in ids and numbers only."""

    reason: str
    recordings: int


class VerificationAge(Document):
    """How many recordings were last verified within ``days`` (None: longer ago than the other groups)."""

    days: int | None
    recordings: int


class Statistics(Document):
    """The archive in figures; ``days`` is one entry for each day asked for, the rest is of the whole archive."""

    generated_at: datetime
    zone: str
    states: dict[str, int]
    recordings: int
    bytes: int
    stored_bytes: int
    undated: int
    days: list[DayFigures]
    failures: list[Reason]
    needs_decision: int
    retrying: int
    verification: list[VerificationAge]
    verified_failed: int


class CoverageDay(Document):
    """``complete``: all recordings of the day are in the books; ``gap``: some hours are not; ``nothing``: not due."""

    date: date
    state: str


class Coverage(Document):
    """Completeness by day of the archive's zone."""

    zone: str
    days: list[CoverageDay]


class Decided(Document):
    """What became of one part of an acknowledged interaction; ``refused`` says why nothing was to acknowledge."""

    interaction_id: str
    recording_id: str
    part: int
    refused: str | None


def to_row(row: Mapping[str, Any], archive: Archive) -> RecordingRow:
    """A row of `recordings` as API and pages show it."""
    return RecordingRow.model_validate(to_fields(row, archive))


def to_fields(row: Mapping[str, Any], archive: Archive) -> dict[str, Any]:
    """The values of a `RecordingRow`, and all other columns under their own names."""
    return {
        **row,
        "file_path": row["key"],
        "bytes": row["size_bytes"],
        "run_id": row["archived_by"],
        "needs_decision": needs_decision(row, archive),
    }


def needs_decision(row: Mapping[str, Any], archive: Archive) -> bool:
    """Whether a person must say what becomes of a failure: its days of retries are over."""
    failed = row["state"] == State.DISCOVERED and row["failed_since"] is not None and row["acknowledged_at"] is None
    return bool(failed and row["failed_since"] < decided_before(archive))


def decided_before(archive: Archive) -> datetime:
    """Failures that began before this moment are not tried again."""
    return archive.clock() - timedelta(days=archive.settings.retry_days)
