"""The main parties, and those beside them."""

from __future__ import annotations

from recording_archive.model import Party
from recording_archive.parties.main import main_of, others

ANN, BOB = Party(agent_id="a1", agent_name="Ann", queue_id="q1"), Party(agent_id="a2", queue_name="Finance")
CALLER = Party(ani="+1", contact_id="c")


def test_the_first_of_each_kind_is_the_main_one() -> None:
    """An id and a name are of one party: Bob's queue has no part in Ann's."""
    main = main_of([CALLER, ANN, BOB])
    assert main == {"agent_id": "a1", "agent_name": "Ann", "queue_id": "q1", "ani": "+1", "contact_id": "c"}
    assert others([CALLER, ANN, BOB], main) == (BOB,)


def test_nobody_has_no_columns() -> None:
    """Possible parties alone make no main one."""
    assert main_of([]) == {}
    assert others([ANN], {}) == (ANN,)
