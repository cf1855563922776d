"""The index of parties follows the rows that it finds."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.party_index import index, is_party, reindex, unindex
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
