"""Breaking the glass: what is opened to whom, for how long, and what tells of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from recording_archive.access.document import read_document
from recording_archive.access.openings import ENDED, OPENED, SHOWN, Desk, end_opening, open_to
from recording_archive.access.rules import Viewer
from recording_archive.archive import Archive
from recording_archive.errors import PermanentError
from support.catalog_rows import AS_OF, archived_row, fill
from support.contents import events_of

GLASS = b"""name: d
grants: [{name: g, users: [rosa], what: [metadata]}]
breakGlass:
- {name: on duty, users: [jane], queues: [Sales], hours: 2}
- {name: night, users: [jane], queues: [Sales], divisions: [Nord], hours: 12}
"""
DOCUMENT = read_document(GLASS, "d")
JANE = Viewer("jane")


@pytest.fixture
def filled(archive: Archive) -> Archive:
    """Calls of a queue that may be opened, of two, and of another."""
    rows = [
        archived_row(1, AS_OF, interaction_id="sales", queue_name="Sales", parties=[]),
        archived_row(2, AS_OF, interaction_id="north", queue_name="sales", division="NORD", parties=[]),
        archived_row(3, AS_OF, interaction_id="both", queue_name="Sales", parties=[]),
        archived_row(4, AS_OF, interaction_id="both", recording_id="leg", queue_name="Board", parties=[]),
    ]
    fill(archive, *rows)
    return replace(archive, clock=lambda: AS_OF)


def test_it_is_open_as_long_as_the_rule_allows_and_ends_by_itself(filled: Archive) -> None:
    """By the rule with most hours that is about the call, or as long as was asked; shown a while after its end."""
    made = open_to(filled, DOCUMENT, JANE, "sales", reason="threat", hours=9, actor="jane")
    assert (made.rule, made.until) == ("on duty", AS_OF + timedelta(hours=2))
    night = open_to(filled, DOCUMENT, JANE, "north", reason="threat", actor="desk")
    assert (night.rule, night.until) == ("night", AS_OF + timedelta(hours=12))
    desk = Desk()
    assert [(each.interaction_id, each.user, each.by, each.reason) for each in desk.openings(filled)] == [
        ("north", "jane", "desk", "threat"),
        ("sales", "jane", "jane", "threat"),
    ]
    assert [each.is_open(AS_OF + timedelta(hours=2)) for each in desk.openings(filled)] == [True, False]
    later = replace(filled, clock=lambda: made.until + SHOWN + timedelta(seconds=1))
    assert [each.interaction_id for each in desk.openings(later)] == ["north"]


def test_what_was_opened_meanwhile_is_known(filled: Archive) -> None:
    """A server that looked before knows what another one opened since."""
    desk = Desk()
    assert desk.openings(filled) == []
    open_to(filled, DOCUMENT, JANE, "sales", reason="r", hours=1, actor="jane")
    assert [each.until for each in desk.openings(filled)] == [AS_OF + timedelta(hours=1)]


def test_the_ledger_names_person_reason_recording_and_end(filled: Archive) -> None:
    """One event for each recording, sealed on return."""
    made = open_to(filled, DOCUMENT, JANE, "sales", reason="threat", actor="jane")
    (event,) = events_of(filled, OPENED)
    assert (event.actor, event.interaction_id, event.at) == ("jane", "sales", AS_OF)
    assert event.detail == {"user": "jane", "reason": "threat", "until": made.until.isoformat(), "rule": "on duty"}
    assert event.segment is not None


@pytest.mark.parametrize(
    ("name", "viewer"), [("both", JANE), ("never", JANE), ("sales", Viewer("rosa")), ("sales", Viewer("Jane"))]
)
def test_what_may_not_be_opened_is_answered_like_what_is_not_there(filled: Archive, name: str, viewer: Viewer) -> None:
    """A leg that no rule is about keeps the whole call closed; nothing tells a hidden call from one that never was."""
    with pytest.raises(PermanentError) as refused:
        open_to(filled, DOCUMENT, viewer, name, reason="r", actor=viewer.name)
    assert f"{name}: there is no such interaction, or none that {viewer.name} may open" in str(refused.value)
    assert events_of(filled, OPENED) == []


def test_without_a_document_nothing_is_to_be_opened(filled: Archive) -> None:
    """Then everything is open to whom Airflow lets in."""
    with pytest.raises(PermanentError):
        open_to(filled, None, JANE, "sales", reason="r", actor="jane")


def test_an_opening_ends_early_for_everybody_who_knew_it(filled: Archive) -> None:
    """At once, with an event for each recording; what was opened to others and again later stays open."""
    desk = Desk()
    open_to(filled, DOCUMENT, JANE, "sales", reason="threat", actor="jane")
    open_to(filled, DOCUMENT, JANE, "north", reason="threat", actor="jane")
    assert len(desk.openings(filled)) == 2
    soon = replace(filled, clock=lambda: AS_OF + timedelta(minutes=5))
    (ended,) = end_opening(soon, "sales", user="jane", reason="settled", actor="rosa")
    assert (ended.until, ended.ended_by, ended.end_reason) == (soon.clock(), "rosa", "settled")
    (event,) = events_of(filled, ENDED)
    assert (event.actor, event.interaction_id, event.detail["reason"]) == ("rosa", "sales", "settled")
    assert event.segment is not None
    for each in (desk, Desk()):
        assert [opening.interaction_id for opening in each.openings(soon) if opening.is_open(soon.clock())] == ["north"]
    with pytest.raises(PermanentError, match="nothing of it is opened to jane now"):
        end_opening(soon, "sales", user="jane", reason="again", actor="rosa")
    later = replace(filled, clock=lambda: AS_OF + timedelta(minutes=6))
    open_to(later, DOCUMENT, JANE, "sales", reason="new threat", actor="jane")
    assert [each.is_open(later.clock()) for each in desk.openings(later)] == [True, True, False]
