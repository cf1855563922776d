"""Keys of objects: relative POSIX paths of safe ASCII segments, the same for every store."""

from __future__ import annotations

import re

from recording_archive.errors import PermanentError
from recording_archive.model import PartId

# ASCII alone, so that two keys never look alike nor fold into one another on any file system. No leading dot:
# temporary names have one, and sweeping must never meet an object.
_SEGMENT = re.compile(r"[A-Za-z0-9_=+@,%-][A-Za-z0-9._~=+@,:%-]{0,254}")
_KEY_LENGTH = 1024  # the limit of S3


def check_key(key: str) -> None:
    """Raise PermanentError unless ``key`` is one that every store takes."""
    segments_of(key)


def segments_of(key: str) -> list[str]:
    """Split a key into its segments; raise PermanentError when it is none."""
    segments = key.split("/")
    if len(key) > _KEY_LENGTH or not all(map(_SEGMENT.fullmatch, segments)):
        raise PermanentError(
            f"{key[:120]!r} cannot be a key: up to {_KEY_LENGTH} characters, segments of 1 to 255 letters, digits and "
            "._~=+@,:%- that do not begin with a dot or tilde"
        )
    return segments


def file_name(part: PartId, key: str) -> str:
    """Name the file of a recording for a person who saves it; ``key`` is that of its object and gives the ending."""
    extension = key.removesuffix(".gz").rpartition(".")[2]
    recording = [part.recording_id] if part.recording_id != part.interaction_id else []
    number = [str(part.part)] if part.part else []
    return ".".join([part.interaction_id, *recording, *number, extension, "gz"])
