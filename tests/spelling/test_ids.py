"""Ids as people paste them, and the forms in which a source may write one."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recording_archive.model import is_safe_id
from recording_archive.spelling.ids import all_forms, clean_id, id_forms, is_guid, prefix_forms, split_ids
from support.spellings import GUID, PASTED

SAFE = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,40}", fullmatch=True)
AROUND = " \t\r\n\u00a0\u200b\u202a\u202c\ufeff\u3000\"'`´“”„‚‘’«»‹›「」″＂,;=({[<>]})"
WRAPPING = st.text(st.sampled_from(AROUND), max_size=4)


@pytest.mark.parametrize("pasted", PASTED)
def test_a_guid_is_read_however_it_was_pasted(pasted: str) -> None:
    """In capitals, in quotes, with blanks and characters that nobody sees."""
    assert clean_id(pasted) == GUID


@given(SAFE, WRAPPING, WRAPPING)
@example("0", "", "´＂")
def test_what_is_around_an_id_falls_away_and_nothing_else(name: str, before: str, after: str) -> None:
    """The id itself keeps its case, unless it is a GUID; cleaning a clean id changes nothing."""
    found = clean_id(before + name + after)
    assert found == clean_id(name) == (name.lower() if is_guid(name) else name)
    assert clean_id(found) == found


@given(st.text(max_size=30))
def test_what_can_be_no_id_does_not_become_another(text: str) -> None:
    """Letters are never left out, so no text is taken for an id that is a part of it."""
    found = clean_id(text)
    if is_safe_id(found) and not is_safe_id(text):
        assert sum(map(str.isalnum, found)) >= sum(character.isascii() and character.isalnum() for character in text)


@pytest.mark.parametrize("text", ["é123456", "a b", "a/b", "", " ", '""', "a\0", "\0a"])
def test_what_is_no_id_stays_none(text: str) -> None:
    """What is left over is refused where an id is needed."""
    assert not is_safe_id(clean_id(text))


def test_a_catalog_may_have_a_guid_in_either_case_and_other_ids_as_they_are() -> None:
    """The clean form comes first, and what was typed is asked for, too."""
    assert id_forms(f" {GUID.upper()} ") == (GUID, GUID.upper(), f" {GUID.upper()} ")
    assert id_forms("Call-1") == ("Call-1",)
    assert all_forms(["Call-1", "Call-1", GUID]) == ["Call-1", GUID, GUID.upper()]


def test_the_start_of_a_guid_has_two_cases() -> None:
    """A start with other letters is that of no GUID."""
    assert prefix_forms("4F2A9c") == ("4F2A9c", "4f2a9c", "4F2A9C")
    assert prefix_forms("Call-1") == ("Call-1",)


def test_a_pasted_column_is_split_into_ids() -> None:
    """At lines, blanks, commas and semicolons; each once, empty ones left out."""
    assert split_ids(f'"{GUID.upper()}",\r\n{GUID}\u00a0call-1;; a/b\n""') == [GUID, "call-1", "a/b"]
