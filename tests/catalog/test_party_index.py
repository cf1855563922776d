"""The index of parties follows the rows that it finds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.party_index import index, is_party, names_one_of, reindex, unindex
from recording_archive.catalog.search import Filters, search
from recording_archive.catalog.tables import party_values, recordings
from recording_archive.model import Party
from recording_archive.parties.documents import NAMES, columns

LONDON = "+442079460958"


def row(name: str, *parties: Party, **attributes: str) -> dict[str, Any]:
    """A recording about to be entered."""
    main = dict.fromkeys(NAMES) | attributes
    facts = {"interaction_id": name, "recording_id": "r", "part": 0, "state": "archived", "interaction_date": None}
    return {**facts, **main} | columns(main, parties, "")


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


def test_another_date_of_a_recording_is_one_of_its_parties(catalog: Catalog) -> None:
    """It is found where it now belongs, once, by whoever took part; without a date, too."""
    day = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [{**row(name, Party(agent_name="Bob"), ani=LONDON), "interaction_date": day} for name in ("a", "b")]
    for date, order in ((day + timedelta(1), ["a", "b"]), (day - timedelta(1), ["b", "a"]), (None, ["b", "a"])):
        with catalog.write() as connection:
            connection.execute(delete(party_values))
            connection.execute(delete(recordings))
            connection.execute(insert(recordings), rows)
            index(connection, rows)
            stored = connection.execute(select(recordings).where(recordings.c.interaction_id == "a")).one()
            reindex(connection, [(stored, {**rows[0], "interaction_date": date})])
            connection.execute(
                update(recordings).where(recordings.c.interaction_id == "a").values(interaction_date=date)
            )
            assert found(connection, "agent_name", "bob") == found(connection, "number", LONDON) == ["a", "b"]
        for asked in (Filters(agent="Bob"), Filters(number=LONDON)):
            pages = [first := search(catalog, asked, limit=1), search(catalog, asked, limit=1, after=first.next)]
            assert [each["interaction_id"] for page in pages for each in page.rows] == order
            assert pages[1].next is None


def test_a_value_that_stayed_behind_shows_nothing_twice(catalog: Catalog) -> None:
    """A row of the index with a date that its recording no longer has is passed over; no page repeats."""
    day = datetime(2026, 1, 1, tzinfo=UTC)
    now = {**row("a", Party(agent_name="Bob")), "interaction_date": day}
    with catalog.write() as connection:
        connection.execute(insert(recordings), [now])
        index(connection, [now, {**now, "interaction_date": day - timedelta(9)}])
    first = search(catalog, Filters(agent="bob"), limit=1)
    assert [each["interaction_id"] for each in first.rows] == ["a"]
    assert first.next is None
