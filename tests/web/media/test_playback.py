"""The audio of a recording: the right bytes of any range, heard by nobody unnoticed, cheap to seek in."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Row, insert, select, update

from recording_archive.archive import Archive
from recording_archive.catalog.tables import events, recordings
from recording_archive.model import State
from recording_archive.store import bgzf
from recording_archive.store.local import LocalStore
from recording_archive.web.deps import get_archive


def first_row(archive: Archive) -> Row[Any]:
    with archive.catalog.read() as connection:
        return connection.execute(select(recordings).order_by(recordings.c.key).limit(1)).one()


def address_of(row: Row[Any]) -> str:
    return f"api/recordings/{row.interaction_id}/{row.recording_id}/media"


def media_of(archive: Archive, row: Row[Any]) -> bytes:
    return gzip.decompress(Path(archive.settings.root, row.key).read_bytes())


def change(archive: Archive, row: Row[Any], **values: Any) -> None:
    same = recordings.c.key == row.key
    with archive.catalog.write() as connection:
        connection.execute(update(recordings).where(same).values(**values))


def kinds(archive: Archive, row: Row[Any]) -> list[str]:
    with archive.catalog.read() as connection:
        wanted = events.c.interaction_id == row.interaction_id
        return list(connection.execute(select(events.c.kind).where(wanted).order_by(events.c.id)).scalars())


@pytest.fixture(scope="module")
def long_media() -> bytes:
    """Half shrinks, half does not, so members differ in length: 5 MB, of which an index knows five places."""
    return bytes(2_000_000) + os.urandom(1_500_000) + b"speech" * 250_000 + b"end"


@pytest.fixture
def long_row(archived: Archive, long_media: bytes) -> Row[Any]:
    """A recording of several megabytes."""
    packed = io.BytesIO()
    bgzf.compress(io.BytesIO(long_media), packed)
    key = "recordings/org=default/undated/long~long~0.wav.gz"
    archived.store.put(key, packed.getvalue())
    facts = {
        **{"interaction_id": "long", "recording_id": "long", "key": key, "size_bytes": len(long_media)},
        **{"stored_bytes": len(packed.getvalue()), "sha256": hashlib.sha256(long_media).hexdigest()},
        "stored_sha256": hashlib.sha256(packed.getvalue()).hexdigest(),
    }
    with archived.catalog.write() as connection:
        model = connection.execute(select(recordings).limit(1)).mappings().one()
        connection.execute(insert(recordings).values({**model, **facts}))
        return connection.execute(select(recordings).where(recordings.c.interaction_id == "long")).one()


def test_the_whole_is_what_was_archived(app_client: TestClient, archived: Archive) -> None:
    """GET gives the media with its own hash as tag, inline, not compressed by anything on the way."""
    row = first_row(archived)
    reply = app_client.get(address_of(row), headers={"Accept-Encoding": "gzip"})
    assert reply.status_code == 200
    assert hashlib.sha256(reply.content).hexdigest() == row.sha256
    assert reply.headers["ETag"] == f'"{row.sha256}"'
    assert reply.headers["Content-Type"] == "audio/wav"
    assert reply.headers["Content-Encoding"] == "identity"
    assert reply.headers["Content-Length"] == str(row.size_bytes)
    assert reply.headers["Accept-Ranges"] == "bytes"
    assert reply.headers["Content-Disposition"] == f'inline; filename="{row.interaction_id}.wav"'
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"


@given(place=st.tuples(st.floats(0, 1), st.integers(1, 200_000)))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_range_has_the_right_bytes(
    app_client: TestClient, long_row: Row[Any], long_media: bytes, place: tuple[float, int]
) -> None:
    """Wherever it begins and ends, across members and beyond the end, whatever was asked before."""
    start = min(int(place[0] * len(long_media)), len(long_media) - 1)
    end = min(start + place[1], len(long_media))
    reply = app_client.get(address_of(long_row), headers={"Range": f"bytes={start}-{start + place[1] - 1}"})
    assert reply.status_code == 206
    assert reply.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(long_media)}"
    assert reply.content == long_media[start:end]


class Counting(LocalStore):
    """Counts the bytes that are read of objects."""

    read_bytes = 0

    def open(self, key: str) -> BinaryIO:
        store, raw = self, super().open(key)

        class Counted(io.RawIOBase):
            def readinto(self, buffer: Any) -> int:
                piece = raw.read(len(buffer))
                buffer[: len(piece)] = piece
                store.read_bytes += len(piece)
                return len(piece)

            def readable(self) -> bool:
                return True

            def seekable(self) -> bool:
                return True

            def seek(self, offset: int, whence: int = 0) -> int:
                return raw.seek(offset, whence)

        return io.BufferedReader(Counted(), 32)


def test_a_second_seek_reads_little(app_client: TestClient, archived: Archive, long_row: Row[Any]) -> None:
    """Where members begin is remembered: seeking again to the end of 5 MB reads two members, no headers before."""
    store = Counting(archived.settings.root)
    app_client.app.dependency_overrides[get_archive] = lambda: replace(archived, store=store)  # type: ignore[attr-defined]  # a FastAPI app
    last = {"Range": f"bytes={long_row.size_bytes - 10}-"}
    app_client.get(address_of(long_row), headers=last)
    store.read_bytes = 0
    assert app_client.get(address_of(long_row), headers=last).status_code == 206
    assert 0 < store.read_bytes < 150_000


def test_an_index_leads_to_the_same_bytes(long_media: bytes) -> None:
    """Reading with an index that knows much, little or nothing gives what reading without one gives."""
    packed = io.BytesIO()
    bgzf.compress(io.BytesIO(long_media), packed)
    index = bgzf.Index()
    for start in (0, 10, 4_999_000, 65_280, 2_097_152, 1_048_576, len(long_media) - 1, 3_000_000, len(long_media)):
        found = b"".join(bgzf.media_range(packed, start, start + 70_000, index=index))
        assert found == long_media[start : start + 70_000]
    assert index.before(2**62)[1] > 4_000_000


def test_who_hears_is_written_down_once(app_client: TestClient, archived: Archive) -> None:
    """Many ranges of one listener are one event; HEAD and an unchanged tag, where nothing is sent, are none."""
    row = first_row(archived)
    head = app_client.head(address_of(row))
    assert head.status_code == 200
    assert head.headers["Content-Length"] == str(row.size_bytes)
    assert app_client.get(address_of(row), headers={"If-None-Match": f'"{row.sha256}"'}).status_code == 304
    assert "played" not in kinds(archived, row)
    for start in (0, 100, 5000):
        app_client.get(address_of(row), headers={"Range": f"bytes={start}-{start + 99}"})
    assert kinds(archived, row).count("played") == 1


def test_what_a_browser_might_run_is_a_download(app_client: TestClient, archived: Archive) -> None:
    """A type that is not on the list is never shown, whatever the catalog says it is."""
    row = first_row(archived)
    for mime_type in ("text/html", "image/svg+xml", "application/zip"):
        change(archived, row, mime_type=mime_type)
        reply = app_client.get(address_of(row))
        assert reply.headers["Content-Type"] == "application/octet-stream"
        assert reply.headers["Content-Disposition"].startswith("attachment; ")


@pytest.mark.parametrize(
    ("state", "status"),
    [(State.QUARANTINED, 409), (State.PURGED, 410), (State.ERASED, 410), (State.DISCOVERED, 404)],
)
def test_what_may_not_be_heard_is_not(app_client: TestClient, archived: Archive, state: State, status: int) -> None:
    """Neither sound nor waveform of what is quarantined, deleted or not there yet."""
    row = first_row(archived)
    change(archived, row, state=state)
    for address in (address_of(row), address_of(row).replace("/media", "/peaks")):
        reply = app_client.get(address)
        assert reply.status_code == status
        assert reply.headers["Content-Type"] == "application/problem+json"
    assert "played" not in kinds(archived, row)


def test_a_truncated_object_is_not_played(app_client: TestClient, archived: Archive) -> None:
    """A file shorter than the catalog has it is a problem with a remedy, before any byte of it."""
    row = first_row(archived)
    path = Path(archived.settings.root, row.key)
    content = path.read_bytes()
    path.chmod(0o640)
    path.write_bytes(content[:-100])
    reply = app_client.get(address_of(row))
    assert reply.status_code == 503
    assert "verify" in reply.json()["detail"]
