"""The words of the archive as frozen values: a part, its listing by the source, what was fetched, what is stored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Any, NamedTuple

WHOLE = "-"  # in place of a recording's id, which it cannot be: all recordings of the interaction, not known yet

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def is_safe_id(text: object) -> bool:
    """Tell if a text may become part of a key: no separator, no ``~``, no leading dot, at most 100 characters."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


class State(StrEnum):
    """The state of a part."""

    DISCOVERED = "discovered"
    ARCHIVED = "archived"
    QUARANTINED = "quarantined"
    PURGED = "purged"
    ERASED = "erased"


def known_date(state: str, date: datetime | date | None) -> datetime | date | None:
    """Return an interaction's date as far as it is known: of an erased recording only the day in UTC.

    The catalog keeps a day as its midnight. A purged recording may have been erased later: at midnight it is a day too.
    """
    if not isinstance(date, datetime) or state not in (State.ERASED, State.PURGED):
        return date
    moment = date.astimezone(UTC)
    return moment.date() if moment.time() == time() else date


def moment_of(text: str) -> datetime:
    """Read what `known_date` told in ISO 8601: a moment, or a day as its midnight in UTC."""
    return datetime.fromisoformat(f"{text}T00:00:00+00:00" if len(text) == len("2026-11-20") else text)


class Outcome(StrEnum):
    """The outcome of one part in one run."""

    SUCCESS = "success"
    FAILED = "failed"
    CHECKSUM_MISMATCH = "checksum_mismatch"
    ALREADY_ARCHIVED = "already_archived"
    EXCLUDED = "excluded"
    MISSING = "missing"
    DEFERRED = "deferred"


class SourceChecksum(StrEnum):
    """The comparison of the archived bytes with the checksum that the source gave."""

    MATCHED = "matched"
    MISMATCHED = "mismatched"
    NOT_GIVEN = "not_given"


class PartId(NamedTuple):
    """One media file of one recording of one interaction; ``part`` counts from 0."""

    interaction_id: str
    recording_id: str
    part: int = 0

    @classmethod
    def whole(cls, interaction_id: str) -> PartId:
        """An interaction whose recordings are known only when the source is asked for their media."""
        return cls(interaction_id, WHOLE, 0)

    @property
    def is_whole(self) -> bool:
        """Tell if this stands for all recordings of the interaction."""
        return self.recording_id == WHOLE

    def __str__(self) -> str:
        """The form that keys, logs and reports use: ``interaction~recording~part``."""
        return f"{self.interaction_id}~{self.recording_id}~{self.part}"


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open range of time ``[start, end)``, both aware and in UTC."""

    start: datetime
    end: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


@dataclass(frozen=True, slots=True)
class Attributes:
    """The attributes that people search by; every field is as the source gave it, or None."""

    agent_id: str | None = None
    agent_name: str | None = None
    queue_id: str | None = None
    queue_name: str | None = None
    ani: str | None = None
    dnis: str | None = None
    direction: str | None = None
    media_type: str | None = None
    duration_ms: int | None = None
    division: str | None = None
    contact_id: str | None = None


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody who took part beside those of `Attributes`: an agent with a queue, a customer with numbers, or both.

    One that is not ``certain`` took part in the interaction, and may not be heard in this recording.
    """

    agent_id: str | None = None
    agent_name: str | None = None
    queue_id: str | None = None
    queue_name: str | None = None
    ani: str | None = None
    dnis: str | None = None
    division: str | None = None
    contact_id: str | None = None
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Listing:
    """One part as the source lists it.

    ``defect`` says why this part cannot be archived (an unusable id, a malformed checksum): it becomes a reported
    failure, never a lost row. ``deferred`` says why it cannot be archived yet: later scheduled runs take it up again.
    ``ended_at`` is the interaction's end, where the source tells one. ``source_fields`` is all the source said but for
    the media URL, which is a secret. ``parties`` took part beside those whom ``attributes`` name.
    """

    part_id: PartId
    interaction_date: datetime | None
    media_url: str | None = field(repr=False)
    expected_sha256: str | None
    attributes: Attributes = Attributes()
    source_fields: Mapping[str, Any] = field(default_factory=dict)
    defect: str | None = None
    deferred: str | None = None
    ended_at: datetime | None = None
    parties: tuple[Party, ...] = ()


@dataclass(frozen=True, slots=True)
class MediaFormat:
    """A kind of media: file extension without dot, and MIME type."""

    extension: str
    mime_type: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """Raw media that lies complete in staging.

    ``size_bytes`` counts the media, ``wire_bytes`` everything received for it, repeats included; ``requests`` counts
    the HTTP requests it took. ``source_date`` is the media host's own ``Date`` header.
    """

    sha256: str
    size_bytes: int
    wire_bytes: int
    requests: int
    format: MediaFormat
    source_host: str
    source_date: datetime | None
    fetched_at: datetime


@dataclass(frozen=True, slots=True)
class Compressed:
    """A finished BGZF object: media and stored hashes (SHA-256, hex), sizes in bytes, number of members."""

    sha256: str
    size_bytes: int
    stored_sha256: str
    stored_bytes: int
    members: int


FAILURES = (Outcome.FAILED, Outcome.CHECKSUM_MISMATCH)


STORED = frozenset({State.ARCHIVED, State.QUARANTINED})  # states whose bytes lie in the archive


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer for one part: acknowledged, or the reason why there was nothing to acknowledge."""

    part: PartId
    refused: str | None
