"""Packs to be fetched: listed, withdrawn when something in them goes, and removed when their days are over."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from recording_archive.archive import Archive
from recording_archive.evidence import in_parts, ready
from recording_archive.evidence.request import Asked
from support.contents import change, ids


def make(archive: Archive, run: str, *names: str, offer: bool = True) -> dict[str, Any]:
    """Make a pack of one part."""
    planned = in_parts.plan_parts(archive, Asked("r", ids=names), "ann", run)
    in_parts.make_part(archive, planned.pack, 1, Event())
    return in_parts.finish(archive, planned.pack) if offer else {"pack": planned.pack}


def later(archive: Archive, days: int) -> Archive:
    """The same archive after some days."""
    return replace(archive, clock=lambda: archive.clock() + timedelta(days=days))


def test_packs_are_listed_until_their_days_are_over(archived: Archive) -> None:
    """The newest first; then none, and their files are gone, while an unfinished one has some days to go on."""
    one, two = ids(archived)[:2]
    first = make(archived, "first", one)
    second = make(later(archived, 1), "second", two)
    make(archived, "third", one, offer=False)
    assert ready.ready_packs(archived) == [second, first]
    assert ready.remove_expired(later(archived, 6)) == 0
    after = later(archived, archived.settings.evidence_days)
    assert ready.ready_packs(after) == [second]
    assert ready.find_pack(after, first["pack"]) is None
    assert ready.remove_expired(after) == 2
    assert {key.split("/")[1] for key in archived.store.list("packs/")} == {second["pack"]}


@pytest.mark.parametrize("gone", [{"state": "quarantined"}, {"state": "erased"}, {"deleting_at": True}])
def test_a_part_is_withdrawn_when_something_in_it_goes(archived: Archive, gone: dict[str, Any]) -> None:
    """What was left out of it does not count; the next sweep removes it."""
    one, two = ids(archived)[:2]
    change(archived, two, state="quarantined")
    told = make(archived, "first", one, two)
    assert ready.why_withdrawn(archived, told["pack"], told["parts"][0]) is None
    change(archived, one, **{name: archived.clock() if value is True else value for name, value in gone.items()})
    assert (ready.why_withdrawn(archived, told["pack"], told["parts"][0]) or "").startswith(f"{one} was deleted")
    assert ready.remove_expired(archived) == 1


def test_a_pack_that_cannot_be_read_stays_and_is_said(archived: Archive, caplog: pytest.LogCaptureFixture) -> None:
    """Unsure means kept."""
    told = make(archived, "first", ids(archived)[0])
    file = archived.settings.root / f"packs/{told['pack']}/contents.json"
    file.chmod(0o640)
    file.write_text("{")
    assert ready.remove_expired(archived) == 0
    assert told["pack"] in caplog.text


@pytest.mark.parametrize("name", ["E-000000000000", "../../etc", "E-1"])
def test_what_is_no_pack_is_none(archived: Archive, name: str) -> None:
    """Whatever an address has in it."""
    assert ready.find_pack(archived, name) is None
