"""State that the two hosts share: recordings, access, active faults and the record of requests."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from genesys_sandbox.access import Signatures, SignedUrls, Tokens
from genesys_sandbox.faults.due import Faults
from genesys_sandbox.recorder import Recorder
from genesys_sandbox.recordings.library import Library
from genesys_sandbox.recordings.recording import Recording
from genesys_sandbox.recordings.world import World
from genesys_sandbox.settings.options import SandboxOptions


@dataclass(frozen=True, slots=True)
class Cloud:
    """The state of one running sandbox; ``stopping`` ends every wait."""

    options: SandboxOptions
    library: Library
    urls: SignedUrls
    tokens: Tokens
    faults: Faults
    world: World
    requests: Recorder = field(default_factory=Recorder)
    pages: Signatures = field(default_factory=Signatures)
    stopping: threading.Event = field(default_factory=threading.Event)

    def recording(self, name: str) -> Recording | None:
        """The recording whose media has that id: a call, or a chat or e-mail of the platform API."""
        return self.library.get(name) or self.world.extra.get(name)

    def entry(self, recording: Recording) -> dict[str, Any]:
        """The JSON object of a recording, with a media URL made this moment."""
        return {
            "id": recording.id,
            "interactionDate": iso_utc(recording.date),
            "mediaUrl": self.urls.make(media_name(recording)),
            **recording.fields,
        }


def media_name(recording: Recording) -> str:
    """The last part of the media URL's path."""
    return f"{recording.id}.{recording.extension}"


def iso_utc(moment: datetime) -> str:
    """ISO 8601 with milliseconds and Z, as the API writes dates."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
