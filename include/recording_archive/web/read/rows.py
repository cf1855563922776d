"""What the API says of recordings, runs and failures: the JSON names and types, in one place.

Pages show the same objects, by their Python names.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from recording_archive.archive import Archive
from recording_archive.model import PartId, State
from recording_archive.retention.rules import later

if TYPE_CHECKING:
    from recording_archive.holds import Holding


class ApiDocument(BaseModel):
    """Camel case outside, snake case inside."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class RecordingRow(ApiDocument):
    """One part. Sizes in bytes, hashes SHA-256 in hex; ``file_path`` is the key below the archive's root.

    ``needs_decision`` is True for a failure that no run takes up again and nobody has acknowledged. ``held_by`` and
    ``possibly_held_by`` are ids of active holds, at most 10 of each. ``purge_from`` is the earliest moment at which a
    quarantined recording may go, ``restored_until`` how long a restored one is left alone.
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
    held_by: list[str]
    possibly_held_by: list[str]
    quarantined_at: datetime | None
    purge_from: datetime | None
    restored_until: datetime | None
    certificate: str | None

    @property
    def part_id(self) -> PartId:
        """Interaction, recording and ordinal as one value."""
        return PartId(self.interaction_id, self.recording_id, self.part)

    @property
    def playable(self) -> bool:
        """Whether its bytes may be heard."""
        return self.state is State.ARCHIVED


class RecordingPage(ApiDocument):
    """A page of a search; ``unknown`` are ids asked for that the catalog does not have."""

    items: list[RecordingRow]
    next: str | None
    unknown: list[str] = []


class Happening(ApiDocument):
    """One event of a part's life."""

    at: datetime
    kind: str
    run_id: str | None
    actor: str | None
    detail: dict[str, Any] | None


class Retention(ApiDocument):
    """What the policy in force says of one part now: it is to be quarantined or purged (``action``), or ``kept``.

    ``expires_at`` is when its days end by ``rule``, whatever keeps it; None where the policy lets it never go.
    """

    policy: str
    policy_name: str
    rule: str
    days: int
    expires_at: datetime | None
    action: str | None
    kept: str | None


class RecordingDetails(RecordingRow):
    """Everything known of one part; ``parts`` are all parts of its interaction, itself included.

    ``retention`` is there while its bytes are, ``certificate_document`` once they are gone. What cannot be read has its
    ``…_problem``: the rest is told all the same.
    """

    stored_sha256: str | None
    sidecar_sha256: str | None
    deleting_at: datetime | None
    sidecar: dict[str, Any] | None
    sidecar_problem: str | None
    retention: Retention | None
    retention_problem: str | None
    certificate_document: dict[str, Any] | None
    certificate_problem: str | None
    timeline: list[Happening]
    parts: list[RecordingRow]


class RunRow(ApiDocument):
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


class RunPage(ApiDocument):
    """A page of runs, newest first."""

    items: list[RunRow]
    next: str | None


class RunDetails(RunRow):
    """A run with its totals by name: those of its report, or the books so far."""

    totals: dict[str, int]
    problems: list[str]


class Decided(ApiDocument):
    """What became of one part of an acknowledged interaction; ``refused`` says why nothing was to acknowledge."""

    interaction_id: str
    recording_id: str
    part: int
    refused: str | None


def to_row(row: Mapping[str, Any], archive: Archive, holding: Holding | None = None) -> RecordingRow:
    """A row of `recordings` as API and pages show it; `standing.to_rows` finds who holds it."""
    return RecordingRow.model_validate(to_fields(row, archive, holding))


def to_fields(row: Mapping[str, Any], archive: Archive, holding: Holding | None = None) -> dict[str, Any]:
    """The values of a `RecordingRow`, and all other columns under their own names."""
    return {
        **row,
        "file_path": row["key"],
        "bytes": row["size_bytes"],
        "run_id": row["archived_by"],
        "needs_decision": needs_decision(row, archive),
        "held_by": list(holding.held) if holding else [],
        "possibly_held_by": list(holding.possibly) if holding else [],
        "purge_from": purge_from(row, archive),
        "restored_until": _restored_until(row),
    }


def purge_from(row: Mapping[str, Any], archive: Archive) -> datetime | None:
    """When a quarantined part has waited long enough; None for any other."""
    if row["state"] != State.QUARANTINED or row["quarantined_at"] is None:
        return None
    return later(row["quarantined_at"], archive.settings.quarantine_days)


def _restored_until(row: Mapping[str, Any]) -> datetime | None:
    """Until when retention leaves a part alone that a person took out of quarantine."""
    text = (row["deletion"] or {}).get("restoredUntil")
    return datetime.fromisoformat(text) if text else None


def needs_decision(row: Mapping[str, Any], archive: Archive) -> bool:
    """Whether a person must say what becomes of a failure: its days of retries are over."""
    failed = row["state"] == State.DISCOVERED and row["failed_since"] is not None and row["acknowledged_at"] is None
    return bool(failed and row["failed_since"] < decided_before(archive))


def decided_before(archive: Archive) -> datetime:
    """Failures that began before this moment are not tried again."""
    return archive.clock() - timedelta(days=archive.settings.retry_days)
