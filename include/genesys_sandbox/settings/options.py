"""Options of a sandbox; every option is also a flag of the command."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_type_hints

from genesys_sandbox.media import WAV_HEADER_BYTES
from genesys_sandbox.settings.fault import PRESETS, read_faults
from genesys_sandbox.settings.traps import TRAPS, read_traps

_PERMISSIONS = (
    "analytics:conversationDetail:view,recording:recording:view,recording:screenRecording:view,"
    "recording:snippetRecording:view,recording:recordingSegment:view,recording:annotation:view,"
    "recording:recording:viewSensitiveData,recording:recording:restore,recording:orphan:view,"
    "conversation:communication:view,routing:queue:view,routing:wrapupCode:view"
)


class Option(NamedTuple):
    """One option as a command shows it."""

    name: str
    default: Any
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """The defaults make a small cloud on this machine: three days, 60 calls, about 130 MB.

    Raises ValueError when values contradict each other.
    """

    port: Annotated[int, "port of the API and the login; 0 takes a free one"] = 0
    media_port: Annotated[int, "port of the media host; 0 takes a free one"] = 0
    host: Annotated[str, "address both listen on"] = "127.0.0.1"
    media_host: Annotated[str, "name in media URLs; with :PORT where clients see another port"] = "127.0.0.1"
    certificate: Annotated[Path | None, "PEM file with certificate and key: speak https (default: plain http)"] = None
    client_id: Annotated[str, "OAuth client id"] = "sandbox-client"
    client_secret: Annotated[str, "OAuth client secret"] = "sandbox-secret"  # noqa: S105  # opens nothing but this
    scope: Annotated[str, "scope in token replies; empty leaves it out"] = "recording:read interaction:read"
    seed: Annotated[int, "same seed, same recordings"] = 1
    days: Annotated[int, "complete UTC days that have recordings"] = 3
    per_day: Annotated[int, "recordings a day"] = 20
    min_bytes: Annotated[int, "size of the smallest recording"] = 100_000
    max_bytes: Annotated[int, "size of the largest recording"] = 10_000_000
    end: Annotated[date | None, "first UTC day without recordings, YYYY-MM-DD (default: today)"] = None
    checksum_missing_every: Annotated[int, "leave the checksum out of every n-th recording; 0: of none"] = 0
    media_dir: Annotated[Path | None, "offer the audio files of this folder instead"] = None
    state_dir: Annotated[Path | None, "keep recordings here for the next start (default: nowhere)"] = None
    url_life_s: Annotated[float, "seconds for which a media URL works"] = 300.0
    s3_session_s: Annotated[
        float, "sign media URLs as S3 does, with credentials that end after so many seconds; 0: no"
    ] = 0.0
    token_life_s: Annotated[float, "seconds for which an access token works"] = 3600.0
    rate_per_minute: Annotated[int, "API requests a minute and token; 0 sets no limit"] = 300
    api: Annotated[str, "which API `connection` names: interactions or conversations"] = "interactions"
    traps: Annotated[str, f"what the platform API does unexpectedly: all, or any of {', '.join(TRAPS)}"] = ""
    participants_every: Annotated[
        int, "every n-th conversation is transferred: two agents, queues, divisions and customers; 0: none"
    ] = 0
    permissions: Annotated[str, "permissions of the OAuth client's role in the platform API"] = _PERMISSIONS
    conditional: Annotated[str, "those of them that the role has for some queues alone"] = ""
    interval_days: Annotated[int, "longest interval of a details query, in days"] = 31
    max_results: Annotated[int, "results up to which a details query can be paged"] = 100_000
    details_days: Annotated[
        int, "days before `end` of which details are shown by query and by id, when jobs have all; 0: all"
    ] = 0
    batch_polls: Annotated[int, "polls for which a batch request is in progress"] = 1
    batch_s: Annotated[float, "seconds for which it is in progress, however often it is polled"] = 0.0
    data_lag_hours: Annotated[int, "hours by which details jobs lag behind"] = 24
    faults: Annotated[
        str, f"what goes wrong from the start: {' or '.join(PRESETS)}, or JSON as POST /sandbox/faults takes it"
    ] = "none"

    def __post_init__(self) -> None:
        if not WAV_HEADER_BYTES < self.min_bytes <= self.max_bytes:
            raise ValueError(f"min_bytes must be over {WAV_HEADER_BYTES} and at most max_bytes")
        try:
            read_faults(self.faults)
        except ValueError as error:
            raise ValueError(f"faults={self.faults!r}: {error}") from error
        read_traps(self.traps)
        if self.api not in ("interactions", "conversations"):
            raise ValueError(f"api={self.api!r}: known are interactions and conversations")
        if self.days < 1 or self.per_day < 0 or self.participants_every < 0:
            raise ValueError("days must be at least 1, and per_day and participants_every at least 0")

    @classmethod
    def described(cls) -> list[Option]:
        """Every option with its default and meaning, for the flags of a command."""
        hints = get_type_hints(cls, include_extras=True)
        return [Option(option.name, option.default, hints[option.name].__metadata__[0]) for option in fields(cls)]
