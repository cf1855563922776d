"""The index of parties follows the rows that it finds."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.party_index import index, is_party, names_one_of, reindex, unindex
from recording_archive.catalog.tables import party_values, recordings
from recording_archive.model import Party
from recording_archive.parties.documents import NAMES, columns

LONDON = "+442079460958"


def row(name: str, *parties: Party, **attributes: str) -> dict[str, Any]:
    """A recording about to be entered."""
    main = dict.fromkeys(NAMES) | attributes
    return {"interaction_id": name, "recording_id": "r", "part": 0, "state": "archived", **main} | columns(
        main, parties, ""
    )


def found(connection: Connection, field: str, *values: str, certain: bool | None = None) -> list[str]:
    """The interactions that have one of some values."""
    query = select(recordings.c.interaction_id).where(is_party(field, values, certain=certain))
    return list(connection.execute(query.order_by(recordings.c.interaction_id)).scalars())


def test_recordings_are_found_by_numbers_and_other_parties(catalog: Catalog) -> None:
    """Certain and possible ones, alone or together."""
    rows = [
        row("a", Party(agent_name="Bob"), ani=LONDON),
        row("b", Party(agent_name="BOB", certain=False), ani="020 7946 0958"),
        row("c", agent_name="Bob"),
    ]
    with catalog.write() as connection:
        connection.execute(insert(recordings), rows)
        index(connection, rows)
        index(connection, rows)  # again, as after a crash
        assert found(connection, "agent_name", "bob", "eve") == ["a", "b"]
        assert found(connection, "agent_name", "bob", certain=True) == ["a"]
        assert found(connection, "agent_name", "bob", certain=False) == ["b"]
        assert found(connection, "number", LONDON) == ["a"]
        assert found(connection, "number", "national:079460958") == ["b"]


def test_names_in_the_row_say_the_same_as_the_index(catalog: Catalog) -> None:
    """In any spelling; recordings without other parties, or not yet read for them, are not found."""
    rows = [
        row("a", Party(agent_name="Bo"), Party(agent_name="Ann  WEBER", certain=False)),
        row("b", Party(agent_name="Ａnn Weber")),
        row("c", Party(queue_name="ann weber"), agent_name="Ann Weber"),
        row("d"),
        {**row("e"), "parties": None, "numbers": None},
    ]
    with catalog.write() as connection:
        connection.execute(insert(recordings), rows)
        index(connection, rows)
        names = names_one_of("agent_name", ["ann weber", "eve"])
        same = select(recordings.c.interaction_id).where(names).order_by(recordings.c.interaction_id)
        assert list(connection.execute(same).scalars()) == found(connection, "agent_name", "ann weber", "eve")
        assert found(connection, "agent_name", "ann weber") == ["a", "b"]


def test_changed_parties_replace_the_old_ones(catalog: Catalog) -> None:
    """What was said at first is not found any more; an erased row by nothing."""
    before = row("a", Party(agent_name="Bob"), ani=LONDON)
    after = row("a", Party(agent_name="Cy"), ani="+12025550153")
    with catalog.write() as connection:
        connection.execute(insert(recordings), [before])
        index(connection, [before])
        stored = connection.execute(select(recordings)).one()
        reindex(connection, [(stored, after)])
        assert found(connection, "agent_name", "bob") == found(connection, "number", LONDON) == []
        assert found(connection, "agent_name", "cy") == found(connection, "number", "+12025550153") == ["a"]
        unindex(connection, [after])
        assert connection.execute(select(party_values)).all() == []
