"""A pack from the side of who asks for it: what is in it, what is not and why, and what the archive remembers of it."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from recording_archive import holds
from recording_archive.archive import Archive
from recording_archive.catalog.events import record
from recording_archive.catalog.rows import part_of
from recording_archive.catalog.search import Filters
from recording_archive.catalog.tables import events
from recording_archive.errors import ArchiveError, ConfigurationError, StoreError
from recording_archive.evidence.pack import plan_pack
from recording_archive.evidence.request import Asked
from recording_archive.model import State
from support.commands import configure
from support.contents import all_rows, change, damage, events_of, flip, ids, row_of
from support.packs import add_call, check, make_pack, unpack

AT = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def made(archived: Archive, tmp_path: Path) -> Callable[..., Path]:
    """``made(ids=…)`` makes a pack and returns the folder of its bag, which the pack's own program finds sound."""
    number = iter(range(100))

    def make(**asked: Any) -> Path:
        name = f"pack{next(number)}"
        make_pack(archived, tmp_path / f"{name}.zip", **asked)
        bag = unpack(tmp_path / f"{name}.zip", tmp_path / name)
        assert check(bag=bag)[0] == 0, check(bag=bag)[1]
        return bag

    return make


def table(bag: Path, name: str) -> list[dict[str, str]]:
    with (bag / "data" / name).open(newline="") as file:
        return list(csv.DictReader(file))


def calls(bag: Path) -> list[str]:
    return sorted(row["interactionId"] for row in table(bag, "calls.csv"))


def test_each_call_is_there_to_play_and_as_stored(archived: Archive, made: Callable[..., Path]) -> None:
    """The sound, the object, its record, all as the archive has them; and a table that tells which is which."""
    bag = made()
    assert calls(bag) == ids(archived)
    for row in table(bag, "calls.csv"):
        known = row_of(archived, row["interactionId"])
        stored = (bag / "data" / row["storedFile"]).read_bytes()
        assert stored == archived.store.read(known.key)
        assert (bag / "data" / row["audioFile"]).read_bytes() == gzip.decompress(stored)
        assert row["audioFile"].endswith(f"/{known.interaction_id}.wav")
        assert sha256((bag / "data" / row["sidecarFile"]).read_bytes()).hexdigest() == known.sidecar_sha256
        assert (row["ani"], row["agentName"]) == (known.ani, known.agent_name)
    assert [row["interactionDate"] for row in table(bag, "calls.csv")] == sorted(
        row.interaction_date.isoformat() for row in all_rows(archived)
    )


def test_the_time_line_tells_who_listened(archived: Archive, made: Callable[..., Path]) -> None:
    """Every event in order, in the ledger's own words; who heard it also in a table of its own."""
    row = all_rows(archived)[0]
    with archived.catalog.write() as connection:
        for kind in ("played", "refused"):
            record(connection, kind, part_of(row), at=archived.clock(), actor="=eve", detail={"sha256": row.sha256})
    bag = made(ids=(row.interaction_id,))
    (call,) = table(bag, "calls.csv")
    line = table(bag, call["timelineFile"])
    assert [each["kind"] for each in line] == ["seen", "archived", "played", "refused"]
    assert all(each["segment"] for each in line)
    heard = table(bag, "listeners.csv")
    assert [(each["kind"], each["actor"]) for each in heard] == [("played", "'=eve"), ("refused", "'=eve")]
    sealed = [json.loads(json.loads(each)["line"]) for each in (bag / "data/ledger/events.jsonl").open()]
    assert [each["uid"] for each in line] == [each["uid"] for each in sealed]


def test_what_is_not_in_it_is_told_with_its_reason(archived: Archive, made: Callable[..., Path]) -> None:
    """In quarantine, damaged, not archived, never listed, asked for in vain: each has a sentence, and no byte."""
    good, quarantined, rotten, unread, fresh, vanished = ids(archived)
    change(archived, quarantined, state=State.QUARANTINED, quarantined_at=AT)
    change(archived, rotten, verified_ok=False)
    damage(Path(archived.settings.root, row_of(archived, unread).key), flip(3000))
    change(archived, fresh, state=State.DISCOVERED, last_error="it is in cold storage")
    Path(archived.settings.root, row_of(archived, vanished).key).unlink()
    bag = made(ids=(*ids(archived), "nobody-1"))
    assert calls(bag) == [good]
    told = {row["asked"]: row["why"] for row in table(bag, "not-included.csv")}
    words = {quarantined: "quarantine", rotten: "Damaged", unread: "Damaged", fresh: "cold storage"}
    words |= {vanished: "Damaged", "nobody-1": "never listed"}
    assert {name for name, word in words.items() if word not in told[name]} == set()
    assert set(told) == set(words)
    assert row_of(archived, unread).verified_ok is False
    assert events_of(archived, "exported", unread) == []
    assert not [path for path in bag.rglob("*.wav*") if good not in path.name]


def test_an_export_is_an_event(archived: Archive, made: Callable[..., Path]) -> None:
    """One before the first byte with the reason, one of each call before its sound, one with the fingerprint."""
    first, second, *_ = ids(archived)
    bag = made(ids=(first, second), reason="letter of 3 March")
    with archived.catalog.read() as connection:
        query = select(events).where(events.c.kind == "exported").order_by(events.c.id)
        begun, *each, ended = connection.execute(query).all()
    assert (begun.actor, begun.interaction_id, begun.detail["reason"]) == ("clerk", None, "letter of 3 March")
    assert sorted(event.interaction_id for event in each) == sorted((first, second))
    fingerprint = sha256((bag / "tagmanifest-sha256.txt").read_bytes()).hexdigest()
    assert ended.detail == {
        "evidence": begun.detail["evidence"],
        "included": 2,
        "notIncluded": 0,
        "fingerprint": fingerprint,
    }
    assert bag.name == f"evidence-{begun.detail['evidence']}"
    request = json.loads((bag / "data/request.json").read_text())
    assert (request["madeBy"], request["reason"]) == ("clerk", "letter of 3 March")


def test_no_event_no_pack(archived: Archive) -> None:
    """Where the access log cannot be written, not one byte is made."""
    with archived.catalog.write() as connection:
        connection.exec_driver_sql("CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'full'); END")
    pack = plan_pack(archived, Asked("x", ids=tuple(ids(archived))), "clerk")
    with pytest.raises(IntegrityError):
        next(pack.stream())


def test_a_hold_a_run_and_a_search_name_calls(archived: Archive, made: Callable[..., Path]) -> None:
    """Each in its own way; ids in any spelling, a recording's as an interaction's."""
    rows = all_rows(archived)
    hold, _ = holds.create(
        archived, matter="M", reason="r", criteria=holds.Criteria((rows[0].interaction_id,)), actor="keeper"
    )
    held = made(hold=hold.id)
    assert calls(held) == [rows[0].interaction_id]
    assert table(held, "calls.csv")[0]["heldBy"] == hold.id
    assert calls(made(run=rows[0].archived_by)) == ids(archived)
    moment = sorted(row.interaction_date for row in rows)[2]
    found = made(filters=Filters(end=moment))
    assert len(calls(found)) == 2
    assert calls(made(ids=(f'"{rows[1].recording_id.upper()}" ',))) == [rows[1].interaction_id]


def test_what_a_run_asked_for_in_vain_is_told(
    archived: Archive, made: Callable[..., Path], run: Callable[..., Any]
) -> None:
    """An id that the source does not have is in the table of what is not there, by run and by id."""
    from recording_archive.archiving.request import Request  # noqa: PLC0415

    run(archived, "manual__asked", Request(ids=("no-such-call",)))
    for asked in ({"run": "manual__asked"}, {"ids": ("no-such-call",)}):
        (row,) = table(made(**asked), "not-included.csv")
        assert (row["asked"], "manual__asked" in row["why"]) == ("no-such-call", True)


def test_the_days_asked_are_accounted_for(made: Callable[..., Path]) -> None:
    """Complete, a gap, or nothing; of the days of a search, else of the calls."""
    span = Filters(start=datetime(2026, 11, 10, tzinfo=UTC), end=datetime(2026, 11, 22, tzinfo=UTC))
    days = {row["day"]: row["state"] for row in table(made(filters=span), "coverage.csv")}
    assert len(days) == 12
    assert (days["2026-11-10"], days["2026-11-20"], days["2026-11-21"]) == ("nothing", "complete", "gap")
    assert [row["day"] for row in table(made(), "coverage.csv")] == ["2026-11-20"]
    assert [row["start"] for row in table(made(), "covered-stretches.csv")]


def test_nothing_tells_of_other_calls(archived: Archive, made: Callable[..., Path]) -> None:
    """No file of a pack has the id of a call that was not asked for; every head is listed."""
    wanted, *others = ids(archived)
    bag = made(ids=(wanted,))
    texts = [path.read_bytes() for path in bag.rglob("*") if path.is_file()]
    assert not [other for other in others if any(other.encode() in text for text in texts)]
    assert len(table(bag, "ledger/heads.csv")) > 1


@pytest.mark.parametrize(
    "asked",
    [{}, {"ids": ("a",), "run": "r"}, {"hold": "H-20261122-aaaaaa"}, {"run": "nobody"}, {"ids": ("a",), "reason": " "}],
)
def test_what_can_be_no_pack_is_refused(archived: Archive, asked: dict[str, Any]) -> None:
    """Nothing named, two things named, an unknown hold or run, no reason: before anything is written."""
    with pytest.raises(ConfigurationError):
        plan_pack(archived, Asked(**{"reason": "r", **asked}), "clerk")
    assert not [each for name in ids(archived) for each in events_of(archived, "exported", name)]


def test_too_much_is_refused(archived: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ZIP's directory stays in memory, so a pack has a largest size; the error says what to do."""
    monkeypatch.setattr("recording_archive.evidence.selection.MOST_CALLS", 5)
    with pytest.raises(ConfigurationError, match="fewer days"):
        plan_pack(archived, Asked("r", ids=tuple(ids(archived))), "clerk")


def test_bytes_that_change_while_it_is_made_break_it(archived: Archive) -> None:
    """What was read well and is another when it is copied ends the pack; without its end it is no ZIP."""
    rows = all_rows(archived)
    pack = plan_pack(archived, Asked("r", ids=tuple(row.interaction_id for row in rows)), "clerk")
    got: list[bytes] = []

    def take() -> None:
        for piece in pack.stream():
            got.append(piece)
            if b"/data/calls/00001/" in piece and b".gz" in piece:  # all were read, and the first is on its way
                for part in pack.selection.parts[1:]:
                    path = Path(archived.settings.root, row_of(archived, part.interaction_id).key)
                    damage(path, flip(path.stat().st_size - 40))

    with pytest.raises(ArchiveError):
        take()
    assert pack.included == len(rows)
    assert b"PK\x05\x06" not in b"".join(got)
    assert not pack.fingerprint


def test_an_unmounted_root_condemns_nothing(archived: Archive) -> None:
    """All objects gone at once, and the archive's own name with them, is an error and no verdict."""
    pack = plan_pack(archived, Asked("r", ids=tuple(ids(archived))), "clerk")
    root = Path(archived.settings.root)
    root.rename(root.with_name("elsewhere"))
    root.mkdir()
    with pytest.raises(StoreError):
        list(pack.stream())
    assert all(row.verified_ok for row in all_rows(archived))


def test_memory_does_not_grow_with_the_pack(archived: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pack of 300 MB costs hardly more than one of a megabyte."""
    configure(archived.settings, monkeypatch)
    program, peaks = Path(__file__).parents[1] / "programs" / "make_pack.py", []
    for megabytes in (1, 300):
        add_call(archived, f"silence-{megabytes}", megabytes * 10**6)
        command = [sys.executable, str(program), f"silence-{megabytes}"]
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
        size, peak = map(int, ended.stdout.split())
        assert size > megabytes * 10**6
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 16 * 1024, peaks  # in kB
