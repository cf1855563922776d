"""One recording of the sandbox, and the media types it can have."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

MIME_TYPES = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "oga": "audio/ogg",
    "opus": "audio/ogg",
    "m4a": "audio/mp4",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "mp4": "video/mp4",
    "webm": "video/webm",
}
DOCUMENT_TYPES = {"zip": "application/zip", "eml": "message/rfc822", "json": "application/json"}


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording: ``index`` counts from 0 by date, ``path`` holds the media, ``fields`` the rest of the reply."""

    index: int
    id: str
    date: datetime
    path: Path
    size_bytes: int
    sha256: str
    fields: dict[str, Any] = field(repr=False)

    @property
    def extension(self) -> str:
        """The file extension in the media URL: lower case, without dot."""
        return self.path.suffix[1:].lower()

    @property
    def mime_type(self) -> str:
        """The content type that the media host gives."""
        return MIME_TYPES.get(self.extension) or DOCUMENT_TYPES[self.extension]
