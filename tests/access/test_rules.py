"""Rules: whom they are about, and which rights go with which."""

from __future__ import annotations

import pytest

from recording_archive.access.rules import Document, Right, Rule, Viewer, Who


@pytest.mark.parametrize(
    ("given", "gives", "takes"),
    [
        ("metadata", {"metadata"}, {"metadata", "listen", "download", "decide"}),
        ("listen", {"metadata", "listen"}, {"listen", "download"}),
        ("download", {"metadata", "listen", "download"}, {"download"}),
        ("decide", {"metadata", "decide"}, {"decide"}),
    ],
)
def test_rights_are_nested(given: str, gives: set[str], takes: set[str]) -> None:
    """A grant gives what is within a right, a denial takes what is around it."""
    rule = Rule("r", Who(everyone=True), (Right(given),))
    assert {right.value for right in Right if rule.gives(right)} == gives
    assert {right.value for right in Right if rule.takes(right)} == takes


def test_a_grant_needs_the_very_name_and_a_denial_any_spelling() -> None:
    """Nobody gets in, and nobody slips out, by the spelling of a name."""
    who = Who(users=("Jane",))
    assert [who.has(Viewer(name)) for name in ("Jane", "jane", "june")] == [True, False, False]
    assert [who.may_have(Viewer(name)) for name in ("Jane", "jane", "june")] == [True, True, False]


def test_roles_that_are_not_told_grant_nothing_and_escape_no_denial() -> None:
    """With an auth manager that tells no roles a denial by role is about everyone."""
    who = Who(roles=("Leads",))
    viewers = (Viewer("a", frozenset({"Leads"})), Viewer("a", frozenset()), Viewer("a"))
    assert [who.has(viewer) for viewer in viewers] == [True, False, False]
    assert [who.may_have(viewer) for viewer in viewers] == [True, False, True]


def test_who_a_user_is_as_an_agent() -> None:
    """The document's names for a user, else the user's own."""
    document = Document("v", "d", agents={"rosa": ("Rosa M", "A-7")})
    assert document.names_of(Viewer("rosa")) == {"rosa m", "a-7"}
    assert document.names_of(Viewer("Jane")) == {"jane"}
