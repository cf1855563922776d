"""The audio of a recording, inflated as it is sent: a seek reads only the members that hold what is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Any

from fastapi import Request, Response
from sqlalchemy import Row

from recording_archive.archive import Archive
from recording_archive.catalog.rows import part_of
from recording_archive.store import bgzf
from recording_archive.web.deps import note_access
from recording_archive.web.media.damage import checked, require_whole
from recording_archive.web.media.decoding import decoded
from recording_archive.web.media.ranges import ByteSpan, quote_tag, select
from recording_archive.web.media.streams import Pieces, respond

INLINE = frozenset(
    {
        *("audio/wav", "audio/mpeg", "audio/ogg", "audio/webm", "audio/mp4", "audio/aac", "audio/flac", "audio/3gpp"),
        *("video/mp4", "video/webm", "video/ogg", "video/3gpp"),
    }
)
"""The types that a browser plays and never runs; everything else is a download of bytes without meaning."""
_INDEXES = 64  # recordings whose members are remembered; 2 MB for one of 20 GB, a few hundred bytes for most


def send_media(archive: Archive, request: Request, row: Row[Any], user: str, file_name: str) -> Response:
    """The answer to GET or HEAD for the media of an archived part; who hears it is written down first."""
    require_whole(archive, row)
    how = "inline" if row.mime_type in INLINE else "attachment"
    return respond(
        select(request.method, request.headers, size=row.size_bytes, etag=quote_tag(row.sha256)),
        media_pieces(archive, row),
        user=user,
        media_type=safe_type(row),
        headers={"Content-Disposition": f'{how}; filename="{file_name}"'},
        before=partial(note_access, archive, "played", part_of(row), user, {"sha256": row.sha256}),
    )


def send_decoded(archive: Archive, request: Request, row: Row[Any], user: str) -> Response:
    """The answer to GET or HEAD for the sound of a part as a plain WAV file, for what a browser cannot play."""
    require_whole(archive, row)
    size, pieces = decoded(archive, row._asdict())
    return respond(
        select(request.method, request.headers, size=size, etag=quote_tag(f"{row.sha256}-pcm")),
        pieces,
        user=user,
        media_type="audio/wav",
        headers={"Content-Disposition": "inline"},
        before=partial(note_access, archive, "played", part_of(row), user, {"sha256": row.sha256}),
    )


def safe_type(row: Row[Any]) -> str:
    """The type of the media; bytes without meaning where a browser might run it."""
    return str(row.mime_type) if row.mime_type in INLINE else "application/octet-stream"


def media_pieces(archive: Archive, row: Row[Any]) -> Pieces:
    """Pieces of the media, as it was before it was compressed; all of it is compared with its hash."""

    def read(span: ByteSpan) -> Iterator[bytes]:
        with archive.store.open(row.key) as file:
            index = _index(row.stored_sha256)
            yield from bgzf.media_range(file, span.start, span.end, name=row.key, index=index)

    return checked(archive, row, read, sha256=row.sha256, size=row.size_bytes)


@lru_cache(maxsize=_INDEXES)
def _index(stored_sha256: str) -> bgzf.Index:  # noqa: ARG001 - the cache's key: equal bytes have equal members
    return bgzf.Index()
