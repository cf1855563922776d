"""``/archive/retrieve``: the stored file, whole or in part, or a plain word why not."""

from __future__ import annotations

import base64
import gzip
import hashlib
import threading
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Row, func, select, text

from recording_archive.archive import Archive
from recording_archive.catalog.tables import events
from support.contents import events_of
from support.site import Client, Site, add_states
from support.web_pages import first_row


def stored(archive: Archive, row: Row[Any]) -> bytes:
    """The bytes of its object."""
    return Path(archive.settings.root, row.key).read_bytes()


def fetch(client: TestClient | Client, row: Row[Any], **headers: str) -> Any:
    """Fetch a recording by its interaction id."""
    return client.get("retrieve", params={"interactionId": row.interaction_id}, headers=headers)


def test_the_file_comes_as_it_lies_in_the_archive(site: Site) -> None:
    """Same bytes as on disk, with hash, length, name and type, untouched by Airflow's own compression."""
    row = first_row(site.archive)
    reply = fetch(site.client_for("viewer"), row, **{"Accept-Encoding": "gzip"})
    assert reply.status_code == 200
    assert reply.content == stored(site.archive, row)
    assert hashlib.sha256(gzip.decompress(reply.content)).hexdigest() == row.sha256
    assert reply.headers["Content-Type"] == "application/gzip"
    assert reply.headers["Content-Disposition"] == f'attachment; filename="{row.interaction_id}.wav.gz"'
    assert reply.headers["Content-Length"] == str(row.stored_bytes)
    assert reply.headers["Content-Encoding"] == "identity"
    assert reply.headers["ETag"] == f'"{row.stored_sha256}"'
    digest = base64.b64decode(reply.headers["Repr-Digest"].removeprefix("sha-256=:").removesuffix(":"))
    assert digest.hex() == row.stored_sha256


def test_the_media_itself_comes_with_its_own_digest(app_client: TestClient, archived: Archive) -> None:
    """``decompress=1`` gives what was archived, as a file to save, whole or in part; it is a download as well."""
    row = first_row(archived)
    asked = {"interactionId": row.interaction_id, "decompress": "1"}
    reply = app_client.get("retrieve", params=asked, headers={"Accept-Encoding": "gzip"})
    assert (reply.status_code, hashlib.sha256(reply.content).hexdigest()) == (200, row.sha256)
    assert reply.headers["Content-Type"] == "audio/wav"
    assert reply.headers["Content-Disposition"] == f'attachment; filename="{row.interaction_id}.wav"'
    assert reply.headers["Content-Length"] == str(row.size_bytes)
    assert reply.headers["ETag"] == f'"{row.sha256}"'
    digest = base64.b64decode(reply.headers["Repr-Digest"].removeprefix("sha-256=:").removesuffix(":"))
    assert digest.hex() == row.sha256
    rest = app_client.get("retrieve", params=asked, headers={"Range": "bytes=1000-"})
    assert (rest.status_code, rest.content) == (206, reply.content[1000:])
    assert [each.detail for each in events_of(archived, "downloaded", row.interaction_id)] == [{"sha256": row.sha256}]
    same = app_client.get("retrieve", params=asked | {"decompress": "0"})
    assert same.content == stored(archived, row)


def test_links_to_several_give_what_was_asked_for(app_client: TestClient, archived: Archive) -> None:
    """Where the media is asked for, the links name the media."""
    add_states(archived)
    reply = app_client.get("retrieve?interactionId=twofold-1&decompress=1")
    assert reply.status_code == 300
    assert ["decompress=1" in link["href"] for link in reply.json()] == [True, True]


def test_head_tells_the_same_and_sends_nothing(site: Site) -> None:
    """HEAD has GET's headers without a body, and is no download."""
    row, client = first_row(site.archive), site.client_for("op")
    whole = fetch(client, row)
    before = len(events_of(site.archive, "downloaded", row.interaction_id))
    head = client.head("retrieve", params={"interactionId": row.interaction_id}, headers={"Range": "bytes=0-1"})
    assert head.status_code == 200
    assert head.content == b""
    same = ("Content-Length", "ETag", "Content-Type", "Content-Disposition", "Accept-Ranges")
    assert {name: head.headers[name] for name in same} == {name: whole.headers[name] for name in same}
    assert len(events_of(site.archive, "downloaded", row.interaction_id)) == before


def test_a_cut_download_can_be_resumed(site: Site) -> None:
    """A range with the right If-Range continues where it stopped; with another tag the whole comes again."""
    row, client = first_row(site.archive), site.client_for("user")
    rest = fetch(client, row, Range="bytes=1000-", **{"If-Range": f'"{row.stored_sha256}"'})
    assert rest.status_code == 206
    assert rest.headers["Content-Range"] == f"bytes 1000-{row.stored_bytes - 1}/{row.stored_bytes}"
    assert rest.content == stored(site.archive, row)[1000:]
    changed = fetch(client, row, Range="bytes=1000-", **{"If-Range": '"another"'})
    assert (changed.status_code, changed.content) == (200, stored(site.archive, row))


def test_a_range_behind_the_end_is_416(app_client: TestClient, archived: Archive) -> None:
    """The answer tells the size, as a problem."""
    row = first_row(archived)
    reply = fetch(app_client, row, Range=f"bytes={row.stored_bytes}-")
    assert reply.status_code == 416
    assert reply.headers["Content-Range"] == f"bytes */{row.stored_bytes}"
    assert reply.headers["Content-Type"] == "application/problem+json"


def test_what_the_client_has_is_not_sent_again(app_client: TestClient, archived: Archive) -> None:
    """If-None-Match with the tag is 304 without a body and without an event."""
    row = first_row(archived)
    reply = fetch(app_client, row, **{"If-None-Match": f'"{row.stored_sha256}"'})
    assert (reply.status_code, reply.content) == (304, b"")
    assert not events_of(archived, "downloaded", row.interaction_id)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "interactionId=",
        "interactionid=a",
        "recordingId=a",
        "interactionId=a&interactionId=b",
        "interactionId=a&part=-1",
        "interactionId=a&part=1.0",
        "interactionId=a&part=%D9%A1",
        "interactionId=a&part=9999999999",
        "interactionId=a&part=",
        "interactionId=a&recordingId=",
        "interactionId=a&format=wav",
        "interactionId=a&decompress=yes",
        "interactionId=a&decompress=",
        "interactionId=..%2F..%2Fetc%2Fpasswd",
        "interactionId=%2e%2e",
        "interactionId=.hidden",
        "interactionId=~root",
        "interactionId=a%00b",
        "interactionId=a%5Cb",
        "interactionId=%2Fetc%2Fpasswd",
        "interactionId=%5C%5Chost%5Cshare",
        "interactionId=a~b~0",
        "interactionId=a%0d%0aSet-Cookie:x=1",
        "interactionId=%EF%BC%8E%EF%BC%8E",
        "interactionId=caf%C3%A9",
        "interactionId=" + "a" * 101,
        "interactionId=a&recordingId=..%2Fb",
    ],
)
def test_a_malformed_request_is_400(app_client: TestClient, query: str) -> None:
    """A missing, doubled, unknown or ill-formed parameter is named, and never looked up."""
    reply = app_client.get(f"retrieve?{query}")
    assert reply.status_code == 400, reply.text
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json()["detail"]


def test_an_unknown_recording_is_404(app_client: TestClient) -> None:
    """A well-formed id that was never listed."""
    assert app_client.get("retrieve?interactionId=nobody").status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_405(app_client: TestClient, method: str) -> None:
    """Only GET and HEAD, and the answer says so."""
    reply = app_client.request(method, "retrieve?interactionId=a")
    assert reply.status_code == 405
    assert "GET" in reply.headers["Allow"]


@pytest.mark.parametrize(
    ("state", "status"), [("quarantined", 409), ("purged", 410), ("erased", 410), ("discovered", 404)]
)
def test_what_may_not_be_fetched_says_why(app_client: TestClient, archived: Archive, state: str, status: int) -> None:
    """Quarantined with its date, deleted with its certificate; and the refusal is an event."""
    add_states(archived)
    reply = app_client.get(f"retrieve?interactionId={state}-1")
    told = reply.json()
    assert (reply.status_code, told["status"]) == (status, status)
    assert told.get("certificate") == ("C-000017" if status == 410 else None)
    assert told.get("quarantinedAt") == ("2026-11-22T00:00:00+00:00" if status == 409 else None)
    assert told.get("purgeFrom") == ("2026-12-06T00:00:00+00:00" if status == 409 else None)
    assert ("2026-12-06" in told["detail"]) == (status == 409)
    refused = events_of(archived, "refused", f"{state}-1")
    assert [(event.actor, event.detail) for event in refused] == ([("tester", {"why": state})] if status != 404 else [])


def test_several_recordings_are_300_with_links_that_work(app_client: TestClient, archived: Archive) -> None:
    """Nothing is chosen for the client; each link names one."""
    add_states(archived)
    reply = app_client.get("retrieve?interactionId=twofold-1")
    assert reply.status_code == 300
    assert [link["recordingId"] for link in reply.json()] == ["first", "second"]
    links = [app_client.head(link["href"]) for link in reply.json()]
    assert [link.status_code for link in links] == [503, 503]  # named, found, and their files are not there
    named = app_client.get("retrieve?interactionId=twofold-1&recordingId=first&part=1")
    assert named.status_code == 404


def test_each_download_is_an_event_before_the_first_byte(app_client: TestClient, archived: Archive) -> None:
    """The access log has who and which bytes' hash; a download in pieces counts once."""
    row = first_row(archived)
    for headers in ({}, {}, {"Range": "bytes=5-9"}, {"Range": "bytes=9-"}):
        assert fetch(app_client, row, **headers).status_code in {200, 206}
    noted = events_of(archived, "downloaded", row.interaction_id)
    assert [(event.actor, event.detail["stored_sha256"]) for event in noted] == [("tester", row.stored_sha256)] * 2


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-99"}, {"Range": "bytes=100-"}])
def test_no_event_no_audio(app_client: TestClient, archived: Archive, headers: dict[str, str]) -> None:
    """When the access log cannot be written, not one byte is sent."""
    row = first_row(archived)
    with archived.catalog.write() as connection:
        connection.execute(text("CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'full'); END"))
    reply = fetch(app_client, row, **headers)
    assert reply.status_code == 500
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.headers["Content-Security-Policy"]
    assert b"\x1f\x8b" not in reply.content


def test_a_file_of_another_length_is_not_sent(app_client: TestClient, archived: Archive) -> None:
    """A truncated object is a problem, not a short download; the time line names it."""
    row = first_row(archived)
    file = archived.settings.root / row.key
    file.chmod(0o640)
    file.write_bytes(file.read_bytes()[:-1])
    reply = fetch(app_client, row)
    assert (reply.status_code, reply.json()["title"]) == (503, "Damaged")
    assert row.key in events_of(archived, "verified", row.interaction_id)[-1].detail["problem"]
    assert not events_of(archived, "downloaded", row.interaction_id)


def test_a_browser_gets_a_page_for_a_problem(app_client: TestClient) -> None:
    """With Accept: text/html the same status comes as a page."""
    reply = app_client.get("retrieve?interactionId=nobody", headers={"Accept": "text/html,*/*;q=0.8"})
    assert reply.status_code == 404
    assert reply.headers["Content-Type"].startswith("text/html")


def test_many_downloads_at_once_are_whole(site: Site) -> None:
    """Four clients at once get every byte, through threads of the app's own."""
    row, found = first_row(site.archive), []
    due = stored(site.archive, row)

    def one(role: str) -> None:
        found.append(fetch(site.client_for(role), row).content == due)

    threads = [threading.Thread(target=one, args=(role,)) for role in ("viewer", "user", "op", "admin")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 4


def test_no_other_rows_are_written(app_client: TestClient, archived: Archive) -> None:
    """What is malformed or unknown leaves no trace: junk must not fill the access log."""
    with archived.catalog.read() as connection:
        before = connection.execute(select(func.count()).select_from(events)).scalar_one()
    for query in ("", "interactionId=nobody", "interactionId=..%2F"):
        app_client.get(f"retrieve?{query}")
    with archived.catalog.read() as connection:
        assert connection.execute(select(func.count()).select_from(events)).scalar_one() == before
