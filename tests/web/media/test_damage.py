"""Damaged recordings over real HTTP: refused where it is known, found out on the way, and never sent whole."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import requests
from fastapi.testclient import TestClient
from sqlalchemy import Row, insert, select, update

from recording_archive.archive import Archive
from recording_archive.catalog.rows import part_of
from recording_archive.catalog.tables import readings, recordings
from recording_archive.fixity.verify import verify
from recording_archive.model import PartId
from recording_archive.store import bgzf
from recording_archive.store.local import LocalStore
from recording_archive.web.deps import get_archive
from recording_archive.web.media import damage as damage_module
from support.contents import change, damage, events_of, flip, row_of
from support.live_app import serve
from support.web_pages import HTML, first_row

LARGE = PartId("large", "large", 0)


def path_of(archive: Archive, row: Row[Any]) -> Path:
    return Path(archive.settings.root, row.key)


def addresses(row: Row[Any]) -> dict[str, str]:
    mine = f"api/recordings/{row.interaction_id}/{row.recording_id}"
    return {
        "stored": f"retrieve?interactionId={row.interaction_id}",
        "media": f"{mine}/media",
        "peaks": f"{mine}/peaks",
    }


@pytest.fixture
def address(archived: Archive) -> Iterator[str]:
    """The app alone behind a real HTTP server."""
    with serve(archived) as url:
        yield url


@pytest.fixture
def large(archived: Archive) -> Row[Any]:
    """A recording that comes in many pieces, with its sidecar."""
    row, media, packed = first_row(archived), os.urandom(3_000_000), io.BytesIO()
    bgzf.compress(io.BytesIO(media), packed)
    key = "recordings/org=default/undated/large~large~0.wav.gz"
    archived.store.put(key, packed.getvalue())
    facts = {
        **{"key": key, "size_bytes": len(media), "sha256": hashlib.sha256(media).hexdigest()},
        **{"stored_bytes": len(packed.getvalue()), "stored_sha256": hashlib.sha256(packed.getvalue()).hexdigest()},
    }
    with archived.catalog.write() as connection:
        model = connection.execute(select(recordings).where(recordings.c.key == row.key)).mappings().one()
        connection.execute(insert(recordings).values({**model, **LARGE._asdict(), **facts}))
    return row_of(archived, "large")


def last_reading(archive: Archive, row: Row[Any]) -> bool | None:
    with archive.catalog.read() as connection:
        mine = recordings.c.key == row.key
        return connection.execute(select(recordings.c.verified_ok).where(mine)).scalar_one()


@pytest.mark.parametrize("which", ["stored", "media", "peaks"])
def test_what_failed_its_last_reading_is_refused(address: str, archived: Archive, which: str) -> None:
    """503 while a run may repair it, then 409 with the reason; a problem document, an event, and not one byte."""
    row = first_row(archived)
    damage(path_of(archived, row), flip(1000))
    assert [each.problem is None for each in verify(archived, [row.interaction_id])] == [False]
    reply = requests.get(address + addresses(row)[which], timeout=10)
    assert (reply.status_code, reply.headers["Content-Type"]) == (503, "application/problem+json")
    assert int(reply.headers["Retry-After"]) > 0
    assert "verify_archive" in reply.json()["detail"]
    with archived.catalog.write() as connection:
        found = {"run_id": "r", "outcome": "bad", "why": "the source no longer has it", "stored_bytes": 0}
        connection.execute(insert(readings).values({**part_of(row)._asdict(), **found}))
    reply = requests.get(address + addresses(row)[which], timeout=10)
    assert (reply.status_code, reply.json()["repair"]) == (409, "the source no longer has it")
    assert requests.head(address + addresses(row)["stored"], timeout=10).status_code == 409
    refused = events_of(archived, "refused", row.interaction_id)
    assert [(each.actor, each.detail) for each in refused] == [("tester", {"why": "damaged"})]
    assert not events_of(archived, "downloaded", row.interaction_id)
    assert not events_of(archived, "played", row.interaction_id)


def test_its_page_offers_no_sound_and_says_why(app_client: TestClient, archived: Archive) -> None:
    """Neither player nor download, on its own page and in the list; the reason, and what is to be done."""
    row = first_row(archived)
    path = addresses(row)["media"].removeprefix("api/").removesuffix("/media")
    assert "data-media" in app_client.get(path, headers=HTML).text
    change(archived, row.interaction_id, verified_ok=False)
    for page in (path, f"?q={row.interaction_id}"):
        text = app_client.get(page, headers=HTML).text
        assert row.interaction_id in text
        assert "data-media" not in text
        assert "retrieve?" not in text
    text = app_client.get(path, headers=HTML).text
    assert "neither heard nor fetched" in text
    assert "verify_archive" in text


@pytest.mark.parametrize("which", ["stored", "media", "peaks"])
def test_a_vanished_object_is_noted_and_told(address: str, archived: Archive, which: str) -> None:
    """No error of the server: the first who asks for it finds it out, and it counts as damaged from then on."""
    row = first_row(archived)
    path_of(archived, row).unlink()
    for _ in range(2):
        reply = requests.get(address + addresses(row)[which], timeout=10)
        assert (reply.status_code, reply.json()["title"]) == (503, "Damaged")
    assert last_reading(archived, row) is False
    told = [each.detail for each in events_of(archived, "verified", row.interaction_id)]
    assert [each["ok"] for each in told] == [False]
    assert row.key in told[0]["problem"]


@pytest.mark.parametrize("which", ["stored", "media"])
def test_a_small_file_that_was_changed_is_never_sent(address: str, archived: Archive, which: str) -> None:
    """Same length, another byte, and nobody knows yet: whoever asks gets the problem, and no event says he heard it."""
    row = first_row(archived)
    damage(path_of(archived, row), flip(3000))
    reply = requests.get(address + addresses(row)[which], timeout=10)
    assert (reply.status_code, reply.json()["title"]) == (503, "Damaged")
    assert last_reading(archived, row) is False
    assert not events_of(archived, "downloaded", row.interaction_id)


@pytest.mark.parametrize("which", ["stored", "media"])
@pytest.mark.parametrize("place", [10, 1_500_000, -40])
def test_a_mismatch_breaks_the_transfer(
    address: str, archived: Archive, large: Row[Any], which: str, place: int
) -> None:
    """The client never has the whole: the connection ends short of the promised length, or nothing begins."""
    damage(path_of(archived, large), flip(place % large.stored_bytes))
    got = 0
    try:
        with requests.get(address + addresses(large)[which], stream=True, timeout=10) as reply:
            if reply.status_code == 200:
                for piece in reply.iter_content(2**16):
                    got += len(piece)
                pytest.fail("the transfer ended as if it were whole")
            assert reply.json()["title"] == "Damaged"
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError):
        assert got < (large.stored_bytes if which == "stored" else large.size_bytes)
    assert last_reading(archived, large) is False
    assert [each.detail["ok"] for each in events_of(archived, "verified", "large")] == [False]
    assert requests.get(address + addresses(large)[which], timeout=10).status_code == 503


def test_a_sound_file_is_sent_whole(address: str, archived: Archive, large: Row[Any]) -> None:
    """Stored bytes and media, whole and in a part, and no verdict is written for it."""
    whole = requests.get(address + addresses(large)["stored"], timeout=10).content
    assert hashlib.sha256(whole).hexdigest() == large.stored_sha256
    media = requests.get(address + addresses(large)["media"], headers={"Range": "bytes=0-"}, timeout=10)
    assert (media.status_code, hashlib.sha256(media.content).hexdigest()) == (206, large.sha256)
    part = requests.get(address + addresses(large)["media"], headers={"Range": "bytes=5-2000004"}, timeout=10)
    assert part.content == media.content[5:2_000_005]
    assert not events_of(archived, "verified", "large")


class Flaky(LocalStore):
    """Gives other bytes the first time it opens a file."""

    flawed = True

    def open(self, key: str) -> BinaryIO:
        """Flip a bit, once."""
        if not self.flawed:
            return super().open(key)
        self.flawed = False
        return io.BytesIO(flip(3000)(self.read(key)))


@pytest.mark.parametrize("which", ["stored", "media"])
def test_what_reads_well_the_second_time_is_not_called_bad(
    app_client: TestClient, archived: Archive, which: str
) -> None:
    """Memory or a controller failed once: nothing is sent, nothing is noted, and the client is to ask again."""
    row = first_row(archived)
    flaky = replace(archived, store=Flaky(archived.settings.root))
    app_client.app.dependency_overrides[get_archive] = lambda: flaky  # type: ignore[attr-defined]  # a FastAPI app
    reply = app_client.get(addresses(row)[which])
    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "5")
    assert last_reading(archived, row) is True
    assert app_client.get(addresses(row)[which]).status_code == 200


def test_an_unmounted_root_condemns_nothing(app_client: TestClient, archived: Archive) -> None:
    """All objects gone at once, with the archive's own name, is no damage to any of them."""
    row = first_row(archived)
    root = Path(archived.settings.root)
    root.rename(root.with_name("elsewhere"))
    root.mkdir()
    reply = app_client.get(addresses(row)["stored"])
    assert reply.status_code == 503
    assert "still mounted" in reply.json()["detail"]
    assert last_reading(archived, row) is True


def test_a_recording_repaired_meanwhile_is_not_condemned(
    app_client: TestClient, archived: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The verdict is about the bytes that the row told of; a row that changed since keeps its own."""
    row = first_row(archived)
    damage(path_of(archived, row), flip(3000))
    examine = damage_module.examine

    def repaired_meanwhile(*args: Any) -> Any:
        found = examine(*args)
        with archived.catalog.write() as connection:
            connection.execute(update(recordings).where(recordings.c.key == row.key).values(stored_sha256="0" * 64))
        return found

    monkeypatch.setattr(damage_module, "examine", repaired_meanwhile)
    reply = app_client.get(addresses(row)["stored"])
    assert (reply.status_code, reply.json()["title"]) == (503, "Not read well")
    assert last_reading(archived, row) is True
