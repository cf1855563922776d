"""JSON documents of recordings. Pages show the same objects, by their Python names."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import (
    Any,
    NotRequired,  # Pydantic cannot read typing's before Python 3.12
)

from pydantic import Field
from typing_extensions import TypedDict

from recording_archive.model import PartId, State
from recording_archive.parties.words import in_words
from recording_archive.web.read.document import ApiDocument


class TookPart(TypedDict):
    """Somebody who took part in a recording beside its agent, queue and customer; only what is known is there.

    One that is not ``certain`` took part in the interaction, and may not be heard in this recording.
    """

    agentId: NotRequired[str]
    agentName: NotRequired[str]
    queueId: NotRequired[str]
    queueName: NotRequired[str]
    ani: NotRequired[str]
    dnis: NotRequired[str]
    division: NotRequired[str]
    contactId: NotRequired[str]
    certain: bool


class RecordingRow(ApiDocument):
    """One part. Sizes in bytes, hashes SHA-256 in hex; ``file_path`` is the key below the archive's root.

    ``needs_decision`` is True for a failure that no run takes up again and nobody has acknowledged. ``held_by`` and
    ``possibly_held_by`` are ids of active holds, at most 10 of each. ``purge_from`` is the earliest moment at which a
    quarantined recording may go, ``restored_until`` how long a restored one is left alone. ``interaction_date`` of an
    erased one is a day in UTC: its time is not known any more. ``parties`` are all others who took part; None where
    nobody has read them yet, of what an older version archived.
    """

    interaction_id: str
    recording_id: str
    part: int
    state: State
    interaction_date: datetime | date | None
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
    contact_id: str | None
    parties: list[TookPart] | None
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

    def cells(self) -> Iterable[Any]:
        """The values as a table has them: parties in words."""
        return (self.model_dump(mode="json") | {"parties": in_words(self.parties)}).values()

    @property
    def part_id(self) -> PartId:
        """Interaction, recording and ordinal as one value."""
        return PartId(self.interaction_id, self.recording_id, self.part)

    @property
    def playable(self) -> bool:
        """Tell if the recording may be heard."""
        return self.state is State.ARCHIVED


class RecordingPage(ApiDocument):
    """A page of a search; ``unknown`` are ids asked for that the catalog does not have.

    ``not_ids`` are those of them that no recording can have, for what they are written with. ``warning`` says what the
    search may have missed.
    """

    items: list[RecordingRow]
    next: str | None
    unknown: list[str] = Field([])
    not_ids: list[str] = Field([])
    warning: str | None = None


class Happening(ApiDocument):
    """One event of a part's life."""

    at: datetime
    kind: str
    run_id: str | None
    actor: str | None
    detail: dict[str, Any] | None


class Retention(ApiDocument):
    """The judgement of the policy on one part now: it is to be quarantined or purged (``action``), or ``kept``.

    ``expires_at`` is when its days end by ``rule``, and by ``longer``, a longer rule that may apply, whatever keeps it;
    None where the policy lets it never go.
    """

    policy: str
    policy_name: str
    rule: str
    days: int
    expires_at: datetime | None
    action: str | None
    kept: str | None
    longer: str | None


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


class Decided(ApiDocument):
    """The answer for one part of an acknowledged interaction; ``refused`` says why nothing was to acknowledge."""

    interaction_id: str
    recording_id: str
    part: int
    refused: str | None
