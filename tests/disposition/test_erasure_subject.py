"""Subjects of an erasure: numbers, contacts and ids, found in the catalog."""

from __future__ import annotations

from typing import Any

import pytest

from recording_archive.archive import Archive
from recording_archive.disposition.erasure import erase
from recording_archive.disposition.erasure_subject import Subject, find
from recording_archive.errors import ConfigurationError
from recording_archive.model import State
from support.contents import change, ids
from support.retention_run import hold

NUMBER = "+49 (30) 123-4567"


def erased(archive: Archive, subject: Subject) -> Any:
    return erase(archive, subject, reason="request 7", actor="ann")


class TestFound:
    """What an erasure is about."""

    @pytest.mark.parametrize("column", ["ani", "dnis"])
    @pytest.mark.parametrize(
        "written",
        ["tel:+49301234567", "+49301234567", "49301234567", "+49 30 1234567", "(49) 30/123.45-67", "tel:49301234567"],
    )
    def test_a_number_is_found_however_the_source_wrote_it(self, archived: Archive, column: str, written: str) -> None:
        """On either side of the call."""
        victim = ids(archived)[0]
        change(archived, victim, **{column: written})
        (found,) = find(archived, Subject(numbers=(NUMBER,)))
        assert (found.part.interaction_id, found.state, found.held) == (victim, State.ARCHIVED, None)

    def test_criteria_are_joined_by_or_and_each_part_comes_once(self, archived: Archive) -> None:
        """By number, contact, interaction or recording id; in any state but erased."""
        names = ids(archived)
        change(archived, names[0], ani=NUMBER, dnis=NUMBER, contact_id="contact-1")
        change(archived, names[1], contact_id="contact-1", state=State.QUARANTINED)
        change(archived, names[2], state=State.DISCOVERED)
        change(archived, names[3], state=State.ERASED, ani=None, dnis=None, agent_id=None, agent_name=None)
        subject = Subject(numbers=(NUMBER,), contacts=("contact-1",), ids=(names[0], names[2], names[3]))
        found = [each.part.interaction_id for each in find(archived, subject)]
        assert sorted(found) == names[:3]

    def test_what_is_held_is_said_before_anyone_acts(self, archived: Archive) -> None:
        """The list names the hold."""
        hold_id = hold(archived, ids(archived)[0])
        (found,) = find(archived, Subject(ids=(ids(archived)[0],)))
        assert found.held == f"held by {hold_id}"

    @pytest.mark.parametrize("subject", [Subject(), Subject(numbers=("",)), Subject(ids=("a", " "))])
    def test_nothing_names_nothing(self, archived: Archive, subject: Subject) -> None:
        """An empty value is an error, and not everything."""
        with pytest.raises(ConfigurationError):
            list(find(archived, subject))
        with pytest.raises(ConfigurationError):
            erased(archived, subject)


@pytest.mark.parametrize("reason", ["", "  ", "of 0049 30 123 4567, as asked", "of contact-1"])
def test_a_reason_that_names_the_person_is_refused(archived: Archive, reason: str) -> None:
    """It is kept for good, where nobody can erase it."""
    with pytest.raises(ConfigurationError, match="reason"):
        erase(archived, Subject(numbers=(NUMBER,), contacts=("contact-1",)), reason=reason, actor="ann")
