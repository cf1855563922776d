"""Ids in a search: what a pasted text means, what begins with it, and what was not found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import insert

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.search import Filters, search
from recording_archive.catalog.search_ids import Account, account, ids_in, starts, unknown_ids
from recording_archive.catalog.tables import recordings
from recording_archive.model import State
from support.spellings import GUID, PASTED, pasted

CAPITALS = "5A3B9C00-0B1C-4D2E-8F3A-000000000002"


def row(interaction: str, recording: str) -> dict[str, Any]:
    """A recording of an agent whose name looks a little like an id."""
    return {
        "interaction_id": interaction,
        "recording_id": recording,
        "part": 0,
        "state": State.ARCHIVED,
        "agent_name": "Room-101 Smith",
        "agent_id": "4F2A",
        "ani": "+12025550100",
        "failures": 0,
    }


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    opened = Catalog(f"sqlite:///{tmp_path_factory.mktemp('search_ids') / 'catalog.db'}")
    with opened.write() as connection:
        connection.execute(
            insert(recordings), [row(GUID, "rec-000001"), row(CAPITALS, "Rec-000001"), row("20255501", "x")]
        )
    yield opened
    opened.close()


def found(catalog: Catalog, **asked: Any) -> set[str]:
    """The interactions that a search finds."""
    return {each["interaction_id"] for each in search(catalog, Filters(**asked)).rows}


@pytest.mark.parametrize("spelled", [*PASTED, *pasted(CAPITALS.lower())])
def test_a_guid_is_found_in_any_spelling(catalog: Catalog, spelled: str) -> None:
    """By the box and by ``id``, and never named as absent, in whichever case the source lists it."""
    wanted = {GUID, CAPITALS} & {GUID if spelled in PASTED else CAPITALS}
    assert found(catalog, text=spelled) == found(catalog, ids=(spelled,)) == wanted
    assert unknown_ids(catalog, [spelled]) == []


def test_unknown_ids_are_named_in_their_order(catalog: Catalog) -> None:
    """Interactions and recordings are known, other ids in their own case only; each is named once."""
    assert unknown_ids(catalog, ["b", GUID, "rec-000001", "a", "b", "REC-000001"]) == ["b", "a", "REC-000001"]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (f"{GUID}\nfoo\n'bar'", [GUID, "foo", "bar"]),
        ("foo\nbar", ["foo", "bar"]),
        ("\nJane Doe\r\na/b\n", ["Jane", "Doe", "a/b"]),
        (f"“{CAPITALS}”; foo", [CAPITALS.lower(), "foo"]),
        ("rec-000001, foo", ["rec-000001", "foo"]),
        ("call-0001 call-0002", ["call-0001", "call-0002"]),
        ("4f2a9c00-0b1c-4d2e-8f3a-00000000ffff", ["4f2a9c00-0b1c-4d2e-8f3a-00000000ffff"]),
        ("8f1abf8e-9600,8f1abf8e-9600;\n3ec5-11", ["8f1abf8e-9600", "3ec5-11"]),
        ("8f1abf8e-9600 and others", []),
        ("Agent 07", []),
        ("+1 202 555 0100", []),
        ("foo bar", []),
        ("Room-101 Smith\n", []),
        ("\n\nJane Doe\n \u200b\n", []),
        ("(202) 555-0153", []),
        ("2025550153", []),
        ("", []),
        (" \u200b", []),
    ],
)
def test_a_pasted_text_is_ids_or_it_is_not(catalog: Catalog, text: str, ids: list[str]) -> None:
    """Several lines are, always; one line is with a GUID, a known id, or when all its words look like ids."""
    with catalog.read() as connection:
        assert ids_in(connection, text) == ids


def test_every_pasted_id_is_accounted_for(catalog: Catalog) -> None:
    """What is found, what is not, and what can be no id; none is left out for the sake of another."""
    text = f'"{GUID.upper()}"\nfoo\na/b\n=“{CAPITALS}”\nünïcode\n{GUID}'
    told = account(catalog, ["typo-1"], text, found=True)
    assert told.ids == ("typo-1", GUID, "foo", "a/b", CAPITALS.lower(), "ünïcode")
    assert told.unknown == ("typo-1", "foo", "a/b", "ünïcode")
    assert told.impossible == ("a/b", "ünïcode")


def test_a_text_that_found_nothing_may_have_been_an_id(catalog: Catalog) -> None:
    """It is one when it looks so, and is explained then; a name that was not found is not."""
    assert account(catalog, [], "call-2026", found=False).unknown == ("call-2026",)
    assert account(catalog, [], "call-2026", found=True) == account(catalog, [], "nobody", found=False) == Account()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (GUID[:6], {GUID}),
        (f' "{GUID[:13].upper()}" ', {GUID}),
        (CAPITALS[:20].lower(), {CAPITALS}),
        ("rec-00", {GUID}),
        ("Rec-00", {CAPITALS}),
        ("202555", {"20255501"}),
        (GUID[:5], set()),
        ("rec-01", set()),
        ("rec%00", set()),
        ("4f2a9d", set()),
    ],
)
def test_the_start_of_an_id_finds_it(catalog: Catalog, text: str, wanted: set[str]) -> None:
    """From six characters on, of an interaction or a recording, a GUID in either case."""
    assert found(catalog, text=text) == wanted


def test_a_start_that_begins_nothing_costs_no_condition(catalog: Catalog) -> None:
    """So names and numbers are searched as fast as before."""
    with catalog.read() as connection:
        assert starts(connection, "London") == []
        assert len(starts(connection, GUID[:8])) == 1


@pytest.mark.parametrize("agent", ["4f2a", '"4F2A"', " room-101\u00a0 SMITH ", "“Ｒｏｏｍ-101"])
def test_agents_are_found_by_any_spelling_of_a_name(catalog: Catalog, agent: str) -> None:
    """Names in any case and width, with quotes and blanks; ids that are no GUID in their own case."""
    assert len(found(catalog, agent=agent)) == (0 if agent == "4f2a" else 3)
