"""Subjects of an erasure: numbers, contacts and ids, found in the catalog."""

from __future__ import annotations

from typing import Any

import pytest

from recording_archive.archive import Archive
from recording_archive.disposition.erasure import erase
from recording_archive.disposition.erasure_doubts import MAYBE_HEARD, MAYBE_THE_SAME, find_doubts
from recording_archive.disposition.erasure_subject import Subject, find
from recording_archive.errors import ConfigurationError
from recording_archive.model import State
from support.contents import change, ids
from support.parties import CALLED, SPELLED, in_region, party
from support.retention_run import hold
from support.spellings import GUID, PASTED

NUMBER = "+49 (30) 123-4567"


def erased(archive: Archive, subject: Subject) -> Any:
    return erase(archive, subject, reason="request 7", actor="ann")


class TestFound:
    """What an erasure is about."""

    @pytest.mark.parametrize("column", ["ani", "dnis", "parties"])
    def test_a_number_is_found_however_the_source_wrote_it(self, archived: Archive, column: str) -> None:
        """On either side of the call, and of any other party that took part for certain."""
        victim, british = ids(archived)[0], in_region(archived, "GB")
        for written in SPELLED:
            change(british, victim, **{column: [party(ani=written)] if column == "parties" else written})
            (found,) = find(british, Subject(numbers=(CALLED,)))
            assert (found.part.interaction_id, found.state, found.held) == (victim, State.ARCHIVED, None)
            assert find_doubts(british, Subject(numbers=(CALLED,))) == []
        for asked in SPELLED:
            assert len(list(find(british, Subject(numbers=(asked,))))) == 1, asked

    def test_a_contact_of_any_party_is_found(self, archived: Archive) -> None:
        """Whatever the case of a GUID; one that is only possible is not."""
        first, second, third = ids(archived)[:3]
        change(archived, first, contact_id=GUID.upper())
        change(archived, second, parties=[party(contactId=GUID)])
        change(archived, third, parties=[party(contactId=GUID, certain=False)])
        for pasted in PASTED:
            found = find(archived, Subject(contacts=(pasted,)))
            assert sorted(each.part.interaction_id for each in found) == [first, second]
            (doubt,) = find_doubts(archived, Subject(contacts=(pasted,)))
            assert (doubt.part.interaction_id, doubt.why) == (third, MAYBE_HEARD)

    def test_what_an_older_version_archived_is_found_by_its_columns(self, archived: Archive) -> None:
        """Its parties are not read yet; by the digits alone it may be meant."""
        first, second = ids(archived)[:2]
        change(archived, first, ani=CALLED, parties=None)
        change(archived, second, dnis="020 7946 0958", parties=None)
        (found,) = find(archived, Subject(numbers=(CALLED,)))
        assert found.part.interaction_id == first
        (doubt,) = find_doubts(archived, Subject(numbers=(CALLED,)))
        assert (doubt.part.interaction_id, doubt.why) == (second, MAYBE_THE_SAME)

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


@pytest.mark.parametrize(
    "reason", ["", "  ", "of 0049 30 123 4567, as asked", "of contact-1", "030/1234567", "\uff0b49301234567"]
)
def test_a_reason_that_names_the_person_is_refused(archived: Archive, reason: str) -> None:
    """It is kept for good, where nobody can erase it."""
    with pytest.raises(ConfigurationError, match="reason"):
        erase(archived, Subject(numbers=(NUMBER,), contacts=("contact-1",)), reason=reason, actor="ann")
