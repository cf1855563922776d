"""What somebody sees of an archive in which the rest is hidden: what they would see of one that never had the rest.

Every route is walked, with a document drawn by chance, over two archives: one with all recordings, and one without
those that the reference model hides. No answer may differ: no list, count, id, page or error.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import Request
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select

from recording_archive.access.in_force import Watch, adopt
from recording_archive.access.openings import OPENED
from recording_archive.archive import Archive, open_archive
from recording_archive.catalog import survey
from recording_archive.catalog.database import Catalog
from recording_archive.catalog.events import record
from recording_archive.catalog.party_index import index
from recording_archive.catalog.rows import is_named
from recording_archive.catalog.tables import events, party_values, recordings, work
from recording_archive.model import PartId
from recording_archive.settings import Settings
from support.catalog_rows import AS_OF, archived_row
from support.contents import events_of
from support.grants import GUID, ROLES, USERS, documents, glass_of, is_allowed, may_be_opened, rows, written

ROWS = [
    *rows(24),
    archived_row(900, AS_OF, agent_id="a1", interaction_id="call-3", recording_id="second", queue_id="q1"),
]
IDS = ("call-3", "call-5", "never-1", "audio-1")
QUERIES = {  # of routes that show what may be seen: the addresses at which they are walked
    "/": (
        "?q={id}",
        "",
        "?sort=agent&columns=division",
        "?agent=weber",
        "?q=sales+weber",
        "?status=discovered",
        "?id={id}&id=never-2",
    ),
    "/api/recordings": (
        "",
        "?sort=-length",
        "?q={id}",
        "?id={id}",
        "?limit=2",
        "?format=csv",
        "?format=jsonl&sort=oldest",
    ),
    "/recordings/{interaction_id}/{recording_id}": ("", "?search=status%3Darchived"),
    "/api/names": ("",),
    "/why": ("?id={id}",),
    "/retrieve": ("?interactionId={id}", "?interactionId={id}&recordingId={id}&part=0"),
    "/failures": ("", "?kind=decision&cause=HTTP+404"),
    "/listening": ("?from=2020-01-01", "?by=person&from=2020-01-01", "?by=day&from=2020-01-01", "?by=call&id={id}"),
    "/api/listens": ("?from=2020-01-01&limit=3", "?id={id}", "?format=csv&from=2020-01-01"),
    "/api/listens/counts": ("?from=2020-01-01", "?by=call&from=2020-01-01", "?by=day&from=2020-01-01&format=csv"),
    "/api/failures": ("", "?kind=retrying", "?kind=acknowledged", "?format=csv"),
}
WRITE = {"X-Recording-Archive": "1", "Content-Type": "application/json", "Authorization": "Bearer of-a-test"}


@pytest.fixture(scope="module")
def filled(archived_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An archive of recordings of every kind; of ``audio-1`` the bytes are there, and its clock stands."""
    folder = tmp_path_factory.mktemp("grants")
    shutil.copytree(archived_once, folder, dirs_exist_ok=True)
    settings = Settings(
        url=str(folder / "archive"), catalog_url=f"sqlite:///{folder / 'catalog.db'}", staging_url=str(folder)
    )
    archive = replace(open_archive(settings), clock=lambda: AS_OF)
    with archive.catalog.write() as connection:
        model = dict(connection.execute(select(recordings).limit(1)).mappings().one())
        audio = {**model, **archived_row(901, AS_OF, agent_id="a1", queue_id="q1", media_type="call")}
        audio |= {name: model[name] for name in ("verified_ok", "stored_bytes")}
        audio |= {"interaction_id": "audio-1", "recording_id": "audio-1"}
        for table in (recordings, party_values, work, events):
            connection.execute(delete(table))
        for row in (*ROWS, audio):
            connection.execute(insert(recordings).values(row))
            part = PartId(row["interaction_id"], row["recording_id"], 0)
            record(connection, "seen", part, at=AS_OF)
            record(connection, "played", part, at=row["interaction_date"] or AS_OF, actor="someone")
        index(connection, connection.execute(select(recordings)).all())
    yield archive
    archive.catalog.close()


class Seat:
    """The app over an archive, where ``user`` has all of Airflow's permissions and the document alone narrows."""

    def __init__(self, archive: Archive) -> None:
        """Make an app, for as many users and archives as sit down one after the other."""
        from recording_archive.web import access  # noqa: PLC0415 - after AIRFLOW_HOME was set
        from recording_archive.web.app import create_app  # noqa: PLC0415
        from recording_archive.web.deps import get_archive  # noqa: PLC0415

        self.archive, self.user, self.roles = archive, "", None
        app = create_app()
        app.dependency_overrides = {access.guard: self._sign_in, get_archive: lambda: self.archive}
        self.client = TestClient(app, raise_server_exceptions=False, follow_redirects=False)

    def taken(self, user: str, roles: Any = frozenset(), archive: Archive | None = None) -> TestClient:
        """The client of ``user``; roles of None are not told by the auth manager."""
        self.user, self.roles = user, roles
        self.archive = archive or self.archive
        return self.client

    def _sign_in(self, request: Request) -> None:
        named = None if self.roles is None else [SimpleNamespace(name=role) for role in self.roles]
        request.state.archive_user = SimpleNamespace(get_name=lambda: self.user, roles=named)


@pytest.fixture(scope="module")
def seats(filled: Archive) -> Iterator[tuple[Seat, Seat]]:
    """Two apps; Airflow permits everything in both."""
    seats = (Seat(filled), Seat(filled))
    from recording_archive.web import access  # noqa: PLC0415 - after AIRFLOW_HOME was set

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(access, "_permits", lambda *_: True)
        patch.setattr(survey, "WITHIN_S", 60)  # how long an answer takes is not hidden, and so are numbers in time
        with seats[0].client, seats[1].client:
            yield seats


def at_once(seats: tuple[Seat, Seat], number: int) -> None:
    """Give both apps the same moment, a new one: accesses of one moment are listed in any order."""
    moment = AS_OF + timedelta(milliseconds=number)
    for seat in seats:
        seat.archive = replace(seat.archive, clock=lambda: moment)


def without(archive: Archive, hidden: list[PartId], copies: Iterator[int]) -> Archive:
    """The same archive, whose catalog never had some recordings."""
    path = Path(archive.settings.catalog_url.removeprefix("sqlite:///"))
    other = path.with_name(f"copy-{next(copies)}.db")
    raw = archive.catalog.engine.raw_connection()
    raw.execute("VACUUM INTO ?", (str(other),))  # type: ignore[attr-defined]
    raw.close()
    catalog = Catalog(f"sqlite:///{other}")
    with catalog.write() as connection:
        for part in hidden:
            for table in (recordings, party_values, work, events):
                connection.execute(delete(table).where(is_named(table, *part)))
    return replace(archive, catalog=catalog)


def addresses(client: TestClient) -> Iterator[tuple[str, bool]]:
    """The address of every way to read, and whether it is made for those who may see some alone."""
    from recording_archive.web.viewer import asks_for_viewer  # noqa: PLC0415 - after AIRFLOW_HOME was set

    for route in client.app.routes:  # type: ignore[attr-defined]
        if not isinstance(route, APIRoute) or "GET" not in route.methods:
            continue
        if route.path == "/api/openapi.json":  # it tells of no recording
            continue
        narrowed = asks_for_viewer(route.dependant)
        named = route.path.replace("{interaction_id}", "{id}").replace("{recording_id}", "{id}")
        queries = QUERIES.get(route.path, ("",)) if narrowed else ("",)
        assert not narrowed or "{id}" in named or route.path in QUERIES, route.path
        for address in dict.fromkeys(f"{named}{query}" for query in queries):
            for each in IDS if narrowed and "{id}" in address else IDS[-1:]:
                yield address.replace("{id}", quote(each)), narrowed


def broken(
    client: TestClient, document: dict[str, Any], user: str, roles: Any, parts: list[tuple[PartId, Any]]
) -> Iterator[str]:
    """Break the glass of every name; yield those that the reference model opens."""
    for name in IDS:
        legs = [row for part, row in parts if part.interaction_id == name]
        reply = client.post("/api/openings", json={"interactionId": name, "reason": "r"}, headers=WRITE)
        if may_be_opened(document, user, roles, legs):
            assert reply.status_code == 201, name
            yield name
        else:
            assert reply.status_code in ({404} if glass_of(document, user, roles) else {400, 403}), name
            assert reply.text.replace(name, "") == client.post(
                "/api/openings", json={"interactionId": "never-2", "reason": "r"}, headers=WRITE
            ).text.replace("never-2", "")


def mend_all(archive: Archive) -> None:
    """Let nothing have been opened ever."""
    from recording_archive.web.viewer import desk  # noqa: PLC0415 - after AIRFLOW_HOME was set

    with archive.catalog.write() as connection:
        connection.execute(delete(events).where(events.c.kind == OPENED))
    desk.forget()


_SETTINGS = settings(max_examples=4, suppress_health_check=list(HealthCheck))
_COPIES = count()
_MOMENTS = count(1)


@_SETTINGS
@given(
    document=documents(),
    user=st.sampled_from(USERS),
    roles=st.sampled_from((None, frozenset(), frozenset(ROLES[:1]))),
)
def test_what_is_hidden_never_was(
    filled: Archive, seats: tuple[Seat, Seat], document: dict[str, Any], user: str, roles: Any
) -> None:
    """Each route answers as if the hidden recordings had never been, or not at all."""
    adopt(filled, written(document), "drawn.yaml", actor="tester")
    with filled.catalog.read() as connection:
        known = [dict(row) for row in connection.execute(select(recordings)).mappings()]
    parts = {PartId(row["interaction_id"], row["recording_id"], row["part"]): row for row in known}
    mend_all(filled)
    opened = set(broken(seats[0].taken(user, roles, filled), document, user, roles, list(parts.items())))
    seen = {part for part, row in parts.items() if is_allowed(document, user, roles, "metadata", row)}
    seen |= {part for part in parts if part.interaction_id in opened}
    other = without(filled, [part for part in parts if part not in seen], _COPIES)
    client, never = seats[0].taken(user, roles), seats[1].taken(user, roles, other)
    listed = client.get("/api/recordings?limit=100").json()["items"]
    assert {PartId(row["interactionId"], row["recordingId"], row["part"]) for row in listed} == seen
    everything = client.get("/api/statistics").status_code == 200
    assert len(seen) == len(parts) or not everything
    for address, narrowed in [] if everything else addresses(client):
        if narrowed:
            at_once(seats, next(_MOMENTS))
            told, expected = client.get(address), never.get(address)
            assert (told.status_code, told.text) == (expected.status_code, expected.text), address
    audio = PartId("audio-1", "audio-1", 0)
    if audio in seen:
        listens, fetches = (is_allowed(document, user, roles, each, parts[audio]) for each in ("listen", "download"))
        listens |= "audio-1" in opened
        assert client.get("/api/recordings/audio-1/audio-1/media").status_code == (200 if listens else 403)
        assert client.get("/retrieve?interactionId=audio-1").status_code == (200 if fetches else 403)
        page = client.get("/?id=audio-1").text
        assert ('aria-label="Play" data-media=' in page, 'aria-label="Download audio-1"' in page) == (listens, fetches)
        assert ("data-download=" in page) is (listens and fetches)
    other.catalog.close()


SOME = {
    "name": "some",
    "grants": [{"name": "sales", "users": ["jane"], "what": ["decide"], "queues": ["Sales", "Human Resources"]}],
    "denials": [{"name": "not that", "everyone": True, "what": ["decide"], "agents": [GUID]}],
}


def test_deciding_about_what_is_hidden_is_deciding_about_nothing(filled: Archive, seats: tuple[Seat, Seat]) -> None:
    """Restore and acknowledge answer for a hidden id as for one that never was; and do nothing to it."""
    adopt(filled, written(SOME), "some.yaml", actor="tester")
    with filled.catalog.read() as connection:
        known = [dict(row) for row in connection.execute(select(recordings)).mappings()]
    client = seats[0].taken("jane")
    answers = set()
    for row in (*known, {"interaction_id": "never-1", "recording_id": "never-1", "state": "", "hidden": True}):
        name = f"{row['interaction_id']}/{row['recording_id']}"
        may = [not row.get("hidden") and is_allowed(SOME, "jane", set(), each, row) for each in ("metadata", "decide")]
        restored = client.post(f"/api/recordings/{name}/restore", json={"reason": "r"}, headers=WRITE)
        body = {"interactionId": row["interaction_id"], "recordingId": row["recording_id"], "reason": "r"}
        accepted = client.post("/api/failures/acknowledge", json=body, headers=WRITE)
        if not may[0]:
            answers.add((restored.status_code, restored.text, accepted.status_code, accepted.text))
        else:
            assert {restored.status_code, accepted.status_code} <= ({200, 409} if may[1] else {403}), name
    assert len(answers) == 1
    decided = {each.interaction_id for kind in ("restored", "acknowledged") for each in events_of(filled, kind)}
    allowed = {row["interaction_id"] for row in known if is_allowed(SOME, "jane", set(), "decide", row)}
    assert decided
    assert decided <= allowed


def test_writing_needs_all_where_it_is_about_all(filled: Archive, seats: tuple[Seat, Seat]) -> None:
    """Pages of figures, holds, plans and packs are for who may see, decide and download all, and say so."""
    from recording_archive.web.viewer import asks_for_viewer  # noqa: PLC0415 - after AIRFLOW_HOME was set

    adopt(filled, written(SOME), "some.yaml", actor="tester")
    client = seats[0].taken("jane")
    for address, narrowed in addresses(client):
        assert narrowed or client.get(address).status_code == 403, address
    for route in client.app.routes:  # type: ignore[attr-defined]
        if isinstance(route, APIRoute) and "POST" in route.methods and not asks_for_viewer(route.dependant):
            reply = client.post(route.path, json={"reason": "r"}, headers=WRITE)
            assert reply.status_code == 403, route.path
            assert "This is for those who may" in reply.json()["title"]
    seeing = {"name": "all", "grants": [{"name": "a", "everyone": True, "what": ["metadata"]}]}
    adopt(filled, written(seeing), "all.yaml", actor="tester")
    client = seats[0].taken("jane")
    assert client.get("/api/statistics").status_code == 200
    assert client.get("/api/recordings/audio-1/audio-1/media").status_code == 403
    assert client.get("/api/recordings/audio-1/audio-1/peaks").status_code == 403
    packs = [address for address, _ in addresses(client) if "evidence" in address]
    assert len(packs) >= 3, "packs hand out sound: whoever may see all and download nothing must not have them"
    for address in packs:
        assert client.get(address.replace("{pack}", "E-1").replace("{number}", "1")).status_code == 403, address
    pack = {"interactionIds": ["audio-1"], "reason": "r"}
    assert client.post("/api/evidence", json=pack, headers=WRITE).status_code == 403
    hold = {"matter": "M", "reason": "r", "interactionIds": ["audio-1"]}
    assert client.post("/api/holds", json=hold, headers=WRITE).status_code == 403


GLASS = {
    "name": "glass",
    "grants": [
        {"name": "sales", "users": ["jane"], "what": ["metadata"], "queues": ["Sales"]},
        {"name": "all", "users": ["rosa"], "what": ["decide"]},
    ],
    "denials": [{"name": "not these", "users": ["jane"], "what": ["metadata"], "agents": ["a1"]}],
    "breakGlass": [{"name": "on duty", "users": ["jane"], "hours": 2}],
}


def answers(client: TestClient, *paths: str) -> list[int]:
    """The status of each."""
    return [client.get(path).status_code for path in paths]


def test_glass_is_broken_for_a_while_and_those_who_decide_see_it(filled: Archive, seats: tuple[Seat, Seat]) -> None:
    """From the page that says no: with a reason the call is heard, not fetched, until its time is over."""
    mend_all(filled)
    adopt(filled, written(GLASS), "glass.yaml", actor="tester")
    call, sound = "/recordings/audio-1/audio-1", "/api/recordings/audio-1/audio-1/media"
    client = seats[0].taken("jane", archive=filled)
    assert answers(client, call, sound, "/openings", "/api/openings") == [404, 404, 403, 403]
    assert 'data-post="./api/openings"' in client.get("/why?id=audio-1").text
    wanted = {"interactionId": "audio-1", "reason": "threat of harm", "hours": 5}
    assert client.post("/api/openings", json={**wanted, "reason": " "}, headers=WRITE).status_code == 400
    made = client.post("/api/openings", json=wanted, headers=WRITE)
    assert (made.status_code, made.json()["open"]) == (201, True)
    assert answers(client, call, sound, "/retrieve?interactionId=audio-1") == [200, 200, 403]
    assert "Opened to you until" in client.get(call).text
    assert client.get("/api/recordings?id=audio-1").json()["items"]
    board = seats[0].taken("rosa")
    assert "<strong>1</strong> call opened by breaking the glass" in board.get("/overview").text
    assert "threat of harm" in board.get("/openings").text
    assert [(each["user"], each["rule"]) for each in board.get("/api/openings").json()] == [("jane", "on duty")]
    assert "Glass broken" in board.get(f"{call}?tab=history").text
    later = replace(filled, clock=lambda: AS_OF + timedelta(hours=2))
    client = seats[0].taken("jane", archive=later)
    assert answers(client, call, sound) == [404, 404]
    assert "breaking the glass" not in seats[0].taken("rosa").get("/overview").text
    client = seats[0].taken("jane", archive=filled)
    assert client.get(call).status_code == 200
    adopt(filled, written({**GLASS, "name": "shut", "breakGlass": []}), "shut.yaml", actor="tester")
    assert client.get(call).status_code == 404
    assert "breaking the glass" not in seats[0].taken("rosa").get("/overview").text


def test_an_opening_is_ended_early_from_the_page(filled: Archive, seats: tuple[Seat, Seat]) -> None:
    """By who opened it, or by who decides about all recordings; nobody else, and not twice."""
    adopt(filled, written(GLASS), "glass.yaml", actor="tester")
    wanted = {"interactionId": "audio-1", "reason": "r"}
    for minute, by, user in ((1, "jane", None), (2, "rosa", "jane")):
        now = replace(filled, clock=lambda minute=minute: AS_OF + timedelta(minutes=minute))
        client = seats[0].taken("jane", archive=now)
        assert client.post("/api/openings", json=wanted, headers=WRITE).status_code == 201
        assert 'data-post="../../api/openings/end"' in client.get("/recordings/audio-1/audio-1").text
        assert client.post("/api/openings/end", json={**wanted, "user": "rosa"}, headers=WRITE).status_code == 403
        board = seats[0].taken("rosa")
        assert "End now" in board.get("/openings").text
        ended = seats[0].taken(by).post("/api/openings/end", json={**wanted, "user": user}, headers=WRITE)
        assert {(each["endedBy"], each["open"]) for each in ended.json()} == {(by, False)}
        again = seats[0].taken(by).post("/api/openings/end", json={**wanted, "user": user}, headers=WRITE)
        assert again.status_code == 404
        assert seats[0].taken("jane").get("/recordings/audio-1/audio-1").status_code == 404
        page = seats[0].taken("rosa").get("/openings").text
        assert "ended early" in page
        assert "End now" not in page


def test_a_document_that_cannot_be_read_hides_everything(filled: Archive, seats: tuple[Seat, Seat]) -> None:
    """Somebody who changes or removes the document in the archive's folder opens nothing by it."""
    adopt(filled, written(SOME), "some.yaml", actor="tester")
    newest = max((filled.settings.root / "access").iterdir())
    content = newest.read_bytes()
    newest.chmod(0o640)
    newest.write_bytes(content.replace(b"Sales", b"Other"))
    from recording_archive.web import viewer  # noqa: PLC0415 - after AIRFLOW_HOME was set

    try:
        client = seats[0].taken("jane")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(viewer, "_watch", Watch())
            for address, _ in addresses(client):
                assert client.get(address).status_code in {500, 503}, address
    finally:
        newest.write_bytes(content)
