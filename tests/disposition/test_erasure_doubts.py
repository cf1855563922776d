"""Recordings that an erasure may be about: they stay, and a person is told to look at them."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import party_values, recordings
from recording_archive.disposition.approval import approve
from recording_archive.disposition.erasure import erase
from recording_archive.disposition.erasure_doubts import MAYBE_HEARD, MAYBE_THE_SAME, find_doubts, noted_doubts
from recording_archive.disposition.erasure_request import carry_out, enter
from recording_archive.disposition.erasure_subject import Subject, find
from recording_archive.model import State
from recording_archive.parties.documents import columns, from_json
from support.contents import amend, ids, row_of
from support.parties import CALLED, SPELLED, in_region, party
from support.retention_run import EXPIRED, at, enforce

ASKED = Subject(numbers=(CALLED,), contacts=("contact-1",))
SURE = [party(ani=CALLED, contactId="contact-2"), party(contactId="contact-1", agentName="Bo")]


@pytest.fixture
def scene(archived: Archive) -> list[str]:
    """The first is meant for certain, by another party; the second by a possible one; the third by its digits alone."""
    first, second, third = names = ids(archived)[:3]
    amend(archived, first, ani="tel:+12025550100", parties=SURE)
    amend(archived, second, parties=[party(ani=CALLED, certain=False)])
    amend(archived, third, dnis="020 7946 0958")
    return names


def doubts(archive: Archive) -> list[tuple[str, str]]:
    return [(each.part.interaction_id, each.why) for each in find_doubts(archive, ASKED)]


def in_index(archive: Archive, name: str) -> list[str]:
    mine = select(party_values.c.value).where(party_values.c.interaction_id == name)
    with archive.catalog.read() as connection:
        return list(connection.execute(mine).scalars())


def test_what_is_certain_goes_and_what_may_be_meant_stays(archived: Archive, scene: list[str]) -> None:
    """The request lists both apart, the report too, and an approval erases the first alone."""
    first, second, third = scene
    listed = [(second, MAYBE_HEARD), (third, MAYBE_THE_SAME)]
    assert [each.part.interaction_id for each in find(archived, ASKED)] == [first]
    assert doubts(archived) == listed
    asked = enter(archived, ASKED, reason="request 7", actor="ann")
    assert asked.counts["erase"] == 1
    assert [(each.part.interaction_id, each.why) for each in noted_doubts(archived, asked.run_id)] == listed
    approve(archived, asked.run_id, plan_sha256=str(asked.sha256), actor="carol")
    done = carry_out(archived, asked.run_id, threading.Event())
    assert (done.erased, done.refused) == (1, ())
    assert [row_of(archived, name).state for name in scene] == [State.ERASED, State.ARCHIVED, State.ARCHIVED]
    report = json.loads(archived.store.read(done.report_key))
    assert report["lookAtThese"] == [
        {"interactionId": name, "recordingId": name, "part": 0, "why": why} for name, why in listed
    ]
    counts = ("planned", "erased", "notDone", "held", "pending", "problems")
    assert [report[name] for name in counts] == [1, 1, 0, 0, 0, []]
    assert [entry["interactionId"] for entry in report["entries"]] == [first]
    assert "7946" not in json.dumps(report)


def test_nothing_of_the_person_is_left_in_the_catalog(archived: Archive, scene: list[str]) -> None:
    """Neither in the row nor in the index of parties; those of others stay."""
    first, second, third = scene
    erase(archived, ASKED, reason="request 7", actor="ann")
    row = row_of(archived, first)
    assert (row.parties, row.numbers["certain"], row.numbers["possible"], row.ani) == ([], [], [], None)
    assert in_index(archived, first) == []
    assert CALLED in in_index(archived, second)
    assert in_index(archived, third)
    assert list(find(archived, ASKED)) == []


def test_what_was_purged_before_is_forgotten_as_well(archived: Archive, scene: list[str]) -> None:
    """The row of a purged recording still names its parties, until they are erased."""
    for number in range(2):
        enforce(at(archived, EXPIRED + timedelta(days=20 * number)), f"retention__{number}")
    first = scene[0]
    row = row_of(archived, first)
    assert (row.state, len(row.parties)) == (State.PURGED, 2)
    assert CALLED in in_index(archived, first)
    erase(archived, ASKED, reason="request 7", actor="ann")
    row = row_of(archived, first)
    assert (row.parties, row.contact_id, in_index(archived, first)) == ([], None, [])
    assert list(find(archived, ASKED)) == []


@pytest.mark.parametrize("recorded", SPELLED)
def test_a_spelling_without_a_country_may_be_meant(archived: Archive, recorded: str) -> None:
    """Where no region is set: each spelling is either found for certain or to be looked at, and none is passed over."""
    name = ids(archived)[0]
    amend(archived, name, dnis=recorded)
    for asked in (CALLED, "020 7946 0958"):
        subject = Subject(numbers=(asked,))
        sure = [each.part.interaction_id for each in find(archived, subject)]
        maybe = [each.part.interaction_id for each in find_doubts(archived, subject)]
        assert sure + maybe == [name], asked
    british = in_region(archived, "GB")
    with archived.catalog.read() as connection:
        row = connection.execute(select(recordings).where(recordings.c.interaction_id == name)).one()
    assert CALLED in columns(row._asdict(), from_json(row.parties), british.settings.phone_region)["numbers"]["certain"]
