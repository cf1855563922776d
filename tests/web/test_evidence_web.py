"""``POST api/evidence`` over real HTTP: a pack that comes while it is made, or a plain word why not."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from html import unescape
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import requests
from sqlalchemy import select

from recording_archive import holds
from recording_archive.archive import Archive
from recording_archive.catalog.tables import events
from recording_archive.evidence import in_parts
from recording_archive.evidence.request import Asked
from support.contents import all_rows, change, damage, events_of, flip, ids, row_of
from support.live_app import serve
from support.packs import add_call, check, unpack
from support.site import Site
from support.web_pages import HTML

WRITE = {"X-Recording-Archive": "1", "X-User": "ann"}


@pytest.fixture
def address(archived: Archive) -> Iterator[str]:
    """The app alone behind a real HTTP server."""
    with serve(archived) as url:
        yield f"{url}api/evidence"


def ask(address: str, **wanted: Any) -> requests.Response:
    """Ask for a pack."""
    return requests.post(address, json={"reason": "letter of counsel", **wanted}, headers=WRITE, timeout=60)


def hold_all(archive: Archive) -> str:
    """Put every recording on hold; return the hold's id."""
    wanted = holds.Criteria(interaction_ids=tuple(ids(archive)))
    return holds.create(archive, matter="M", reason="R", criteria=wanted, actor="ann")[0].id


@pytest.mark.parametrize("of", ["hold", "run", "search", "recording"])
def test_each_page_hands_out_what_it_shows(address: str, archived: Archive, of: str) -> None:
    """What the button of a hold, a run, a search or a recording asks for is a pack of just these calls."""
    first = all_rows(archived)[0]
    pages = {"run": f"runs/{first.archived_by}", "search": "?from=2026-11-20&to=2026-11-20"}
    pages["recording"] = f"recordings/{first.interaction_id}/{first.recording_id}"
    page = f"holds/{hold_all(archived)}" if of == "hold" else pages[of]
    shown = requests.get(address.removesuffix("api/evidence") + page, headers=HTML, timeout=10).text
    wanted = next(each for each in re.findall(r"data-evidence='([^']+)'", shown) if each != "null")
    reply = ask(address, **json.loads(unescape(wanted)))
    with zipfile.ZipFile(io.BytesIO(reply.content)) as pack:
        calls = [name for name in pack.namelist() if name.endswith(".wav")]
    assert len(calls) == (1 if of == "recording" else 6)


@pytest.mark.parametrize("by", ["interactionIds", "holdId", "runId", "query"])
def test_a_pack_comes_and_checks_itself(address: str, archived: Archive, tmp_path: Path, by: str) -> None:
    """A ZIP with a name; every call is handed out by an event with the user's name."""
    rows = all_rows(archived)
    wanted: dict[str, Any] = {"interactionIds": ids(archived), "runId": rows[0].archived_by}
    wanted["query"] = {"from": "2026-11-20", "to": "2026-11-20", "direction": " "}
    if by == "holdId":
        wanted[by] = hold_all(archived)
    reply = ask(address, **{by: wanted[by]})
    assert (reply.status_code, reply.headers["Content-Type"]) == (200, "application/zip")
    name = reply.headers["Content-Disposition"].removeprefix('attachment; filename="').removesuffix('"')
    (tmp_path / name).write_bytes(reply.content)
    bag = unpack(tmp_path / name, tmp_path / "out")
    assert bag.name == name.removesuffix(".zip")
    assert check(tmp_path / name, bag=bag)[0] == 0
    assert len(list(bag.rglob("*.wav"))) == 6
    assert [each.actor for each in events_of(archived, "exported", ids(archived)[0])] == ["ann"]


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"interactionIds": []},
        {"query": {}},
        {"query": {"agent": " ", "q": None}},
        {"query": {"nonsense": "x"}},
        {"query": {"from": "someday"}},
        {"interactionIds": ["a"], "runId": "b"},
        {"holdId": "H-20261122-aaaaaa"},
        {"runId": "nobody"},
        {"interactionIds": ["a"], "reason": " "},
        {"interactionIds": ["a"], "reason": None},
        {"interactionIds": ["a\0"]},
    ],
)
def test_what_can_be_no_pack_is_400(address: str, archived: Archive, wanted: dict[str, Any]) -> None:
    """Before anything is written; the problem says what to do."""
    reply = ask(address, **wanted)
    assert (reply.status_code, reply.headers["Content-Type"]) == (400, "application/problem+json"), reply.text
    assert reply.json()["detail"]
    assert not [each for name in ids(archived) for each in events_of(archived, "exported", name)]


def test_a_pack_that_breaks_does_not_look_whole(address: str, archived: Archive) -> None:
    """An object that changes while it is sent breaks the transfer; what came has no end that a reader would take."""
    add_call(archived, "large", 60_000_000)
    path, got = Path(archived.settings.root, row_of(archived, "large").key), list[bytes]()

    def take() -> None:
        wanted = {"reason": "r", "interactionIds": ["large"]}
        with requests.post(address, json=wanted, headers=WRITE, stream=True, timeout=60) as reply:
            for piece in reply.iter_content(2**16):
                if b"/large.wav" in piece:  # it was read, and is on its way
                    damage(path, flip(path.stat().st_size - 40))
                got.append(piece)

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        take()
    assert b"/large.wav" in b"".join(got)
    assert not zipfile.is_zipfile(io.BytesIO(b"".join(got)))
    assert len(events_of(archived, "exported", "large")) == 1


def test_it_needs_what_listening_needs(site: Site) -> None:
    """Strangers get none; a form of another site gets none."""
    wanted = {"reason": "r", "interactionIds": ["x"]}
    assert site.client_for(None).post("api/evidence", json=wanted).status_code == 401
    assert site.client_for("viewer").post("api/evidence", json=wanted).status_code == 403
    reply = site.client_for("viewer").post("api/evidence", json=wanted, headers={"X-Recording-Archive": "1"})
    assert reply.status_code == 200
    assert zipfile.is_zipfile(io.BytesIO(reply.content))


def ready_pack(archive: Archive, *names: str) -> dict[str, Any]:
    """What `export_evidence` makes of some recordings, a part for each."""
    small = replace(archive, settings=archive.settings.model_copy(update={"evidence_part_bytes": 1}))
    asked = Asked("letter of counsel", ids=names, given={"interactionIds": list(names)})
    planned = in_parts.plan_parts(small, asked, "kim", "manual__1")
    for number in range(1, planned.parts + 1):
        in_parts.make_part(small, planned.pack, number, Event())
    return in_parts.finish(small, planned.pack)


def test_a_pack_that_a_run_made_is_listed_and_fetched(address: str, archived: Archive, tmp_path: Path) -> None:
    """With who asked, sizes, hashes and its last day; a part in two pieces is whole; each download is an event."""
    one, two = ids(archived)[:2]
    told = ready_pack(archived, one, two)
    (listed,) = requests.get(address, timeout=10).json()["items"]
    assert (listed["pack"], listed["askedBy"], listed["reason"]) == (told["pack"], "kim", "letter of counsel")
    assert [part["sha256"] for part in listed["parts"]] == [part["sha256"] for part in told["parts"]]
    page = requests.get(f"{address.removesuffix('api/evidence')}evidence", headers=HTML, timeout=10).text
    assert all(part["sha256"] in page and part["fingerprint"] in page for part in told["parts"])
    place = f"{address}/{told['pack']}/parts/2"
    first = requests.get(place, headers={"Range": "bytes=0-999", "X-User": "ann"}, timeout=10)
    tagged = {"Range": "bytes=1000-", "If-Range": first.headers["ETag"], "X-User": "ann"}
    rest = requests.get(place, headers=tagged, timeout=10)
    assert (first.status_code, rest.status_code) == (206, 206)
    name = first.headers["Content-Disposition"].removeprefix('attachment; filename="').removesuffix('"')
    (tmp_path / name).write_bytes(first.content + rest.content)
    assert sha256((tmp_path / name).read_bytes()).hexdigest() == listed["parts"][1]["sha256"]
    bag = unpack(tmp_path / name, tmp_path / "out")
    assert check(tmp_path / name, bag=bag)[0] == 0
    noted = [event for event in exports(archived) if (event.detail or {}).get("fetched")]
    assert [(event.actor, event.detail["evidence"]) for event in noted] == [("ann", f"{told['pack']}-0002")] * 2


def test_a_part_that_is_damaged_expired_or_withdrawn_is_not_fetched(address: str, archived: Archive) -> None:
    """Another size or another byte is refused, and what went since is not handed out."""
    one, two = ids(archived)[:2]
    told = ready_pack(archived, one, two)
    place = f"{address}/{told['pack']}/parts"
    path = archived.settings.root / f"packs/{told['pack']}/0001.zip"
    damage(path, flip(path.stat().st_size // 2))
    reply = requests.get(f"{place}/1", timeout=10)
    assert (reply.status_code, reply.headers["Content-Type"]) == (500, "application/problem+json")
    damage(path, lambda content: content[:-1])
    assert requests.get(f"{place}/1", timeout=10).status_code == 409
    change(archived, row_of(archived, two).interaction_id, state="quarantined")
    change(archived, row_of(archived, one).interaction_id, state="quarantined")
    reply = requests.get(f"{place}/2", timeout=10)
    assert (reply.status_code, reply.json()["title"]) == (409, "Withdrawn")
    for missing in (f"{place}/3", f"{address}/E-000000000000/parts/1", f"{address}/x/parts/1"):
        assert requests.get(missing, timeout=10).status_code == 404


def exports(archive: Archive) -> list[Any]:
    """Every event of an export."""
    with archive.catalog.read() as connection:
        return list(connection.execute(select(events).where(events.c.kind == "exported").order_by(events.c.id)).all())
