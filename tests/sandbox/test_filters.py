"""The filter grammar of the interactions query."""

from __future__ import annotations

import pytest

from genesys_sandbox import Sandbox
from genesys_sandbox.recordings.filters import Filter, FilterError, parse_filter
from support.sandbox_client import all_ids


def test_filter_by_ids(sandbox: Sandbox) -> None:
    """Ids that exist are found, in any order and once; others are silently absent."""
    first, second = sandbox.library[3].id, sandbox.library[7].id
    found = all_ids(sandbox, filter=f"(interactionId IN ('{second}','no-such','{first}', '{first}'))")
    assert sorted(found) == sorted([first, second])


def test_filter_by_dates_includes_both_ends(sandbox: Sandbox) -> None:
    """A range from one recording's millisecond to another's holds both, and all between."""
    low, high = (sandbox.library[i].date.isoformat() for i in (5, 9))
    found = all_ids(sandbox, filter=f"(interactionDate >= '{low}' AND interactionDate <= '{high}')")
    assert set(found) == {sandbox.library[i].id for i in range(5, 10)}


def test_filter_by_ids_and_dates(sandbox: Sandbox) -> None:
    """Both clauses must hold, in either order."""
    low, high = (sandbox.library[i].date.isoformat() for i in (5, 9))
    dates = f"(interactionDate >= '{low}' AND interactionDate <= '{high}')"
    ids = f"(interactionId IN ('{sandbox.library[4].id}','{sandbox.library[6].id}'))"
    for text in (f"{dates} AND {ids}", f"{ids} AND {dates}"):
        assert all_ids(sandbox, filter=text) == [sandbox.library[6].id]


def test_doubled_quote_is_one_quote() -> None:
    """Inside a value '' means one quote, so no value ends the list early."""
    assert parse_filter("(interactionId IN ('o''clock','''', 'a b'))") == Filter(ids=("o'clock", "'", "a b"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "()",
        "interactionId IN ('a')",
        "(interactionId IN ())",
        "(interactionId IN ('a',))",
        "(interactionId IN ('a' 'b'))",
        "(interactionId IN ('a'))(interactionId IN ('b'))",
        "(interactionId IN ('a')) AND (interactionId IN ('b'))",
        "(interactionId IN ('a')) OR (interactionId IN ('b'))",
        "(interactionId IN ('a')) AND",
        "(interactionId IN (a))",
        "(interactionId IN ('a'b'))",
        "(interactionId IN ('a)",
        "(interactionId = 'a')",
        "(agentId IN ('a'))",
        "(interactionDate >= '2026-11-21T00:00:00Z')",
        "(interactionDate > '2026-11-21T00:00:00Z' AND interactionDate < '2026-11-22T00:00:00Z')",
        "(interactionDate >= '2026-11-21' AND interactionDate <= '2026-11-22')",
        "(interactionDate >= '2026-11-21T00:00:00' AND interactionDate <= '2026-11-22T00:00:00')",
        "(interactionDate >= '2026-13-21T00:00:00Z' AND interactionDate <= '2027-11-22T00:00:00Z')",
        "(interactionDate >= '2026-11-22T00:00:00Z' AND interactionDate <= '2026-11-21T00:00:00Z')",
        f"(interactionId IN ({','.join(repr(str(i)) for i in range(51))}))",
    ],
)
def test_filter_outside_the_grammar_is_refused(text: str) -> None:
    """Text outside the grammar is an error, never a guess."""
    with pytest.raises(FilterError):
        parse_filter(text)
