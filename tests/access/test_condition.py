"""The condition that a document makes for somebody, against a plain loop over all recordings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select

from recording_archive.access.condition import permitted
from recording_archive.access.document import read_document
from recording_archive.access.rules import Right, Viewer
from recording_archive.catalog.database import Catalog
from recording_archive.catalog.party_index import index
from recording_archive.catalog.search import Filters, export
from recording_archive.catalog.search_ids import account, unknown_ids
from recording_archive.catalog.tables import recordings
from recording_archive.catalog.visible import EVERYTHING, covers, only
from recording_archive.model import PartId
from support.catalog_rows import AS_OF
from support.grants import RIGHTS, ROLES, USERS, documents, is_allowed, rows, written

ROWS = list(rows(130))
SALES = b"name: S\ngrants:\n- {name: sales, users: [jane], what: [metadata], queues: [Sales]}\n"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    opened = Catalog(f"sqlite:///{tmp_path_factory.mktemp('access') / 'catalog.db'}")
    with opened.write() as connection:
        connection.execute(insert(recordings), ROWS)
        index(connection, connection.execute(select(recordings)).all())
    yield opened
    opened.close()


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    document=documents(),
    user=st.sampled_from(USERS),
    roles=st.sampled_from((None, frozenset(), frozenset(ROLES[:1]))),
    right=st.sampled_from(RIGHTS),
    filters=st.sampled_from((Filters(), Filters(agent="weber"), Filters(queue="q1"), Filters(text="zoë"))),
)
def test_it_is_what_the_words_of_the_document_say(
    *, catalog: Catalog, document: dict[str, Any], user: str, roles: Any, right: str, filters: Filters
) -> None:
    """Lists by any filter, counts, ids and single parts, for each right."""
    read = read_document(written(document), "drawn.yaml")
    visible = permitted(read, Viewer(user, roles), Right(right), now=AS_OF)
    wanted = {row["interaction_id"] for row in ROWS if is_allowed(document, user, roles, right, row)}
    everything = {row["interaction_id"] for page in export(catalog, filters) for row in page}
    narrowed = Filters(agent=filters.agent, queue=filters.queue, text=filters.text, visible=visible)
    assert {row["interaction_id"] for page in export(catalog, narrowed) for row in page} == wanted & everything
    if visible.everything:
        assert wanted == {row["interaction_id"] for row in ROWS}
    asked = ["call-7", "call-8", "never-1"]
    assert unknown_ids(catalog, asked, visible) == [each for each in asked if each not in wanted]
    with catalog.read() as connection:
        query = select(func.count()).select_from(recordings).where(*only(connection, visible))
        assert connection.execute(query).scalar_one() == len(wanted)
        assert covers(connection, visible, PartId("call-7", "call-7", 0)) is ("call-7" in wanted)


def test_without_a_document_everything_is_visible(catalog: Catalog) -> None:
    """Nothing is asked of the catalog then."""
    visible = permitted(None, Viewer("jane"), Right.DECIDE, now=AS_OF)
    assert visible is EVERYTHING
    with catalog.read() as connection:
        assert only(connection, visible) == []


def test_a_hidden_id_is_no_id_to_the_search_box(catalog: Catalog) -> None:
    """A word that is an id to others is a word to who may not see the call: nothing tells the two apart."""
    visible = permitted(read_document(SALES, "s"), Viewer("jane"), Right.METADATA, now=AS_OF)
    hidden = next(row["interaction_id"] for row in ROWS if row["queue_name"] != "Sales" and not row["parties"])
    told = account(catalog, [hidden, "never-1"], hidden, found=False, visible=visible)
    assert told.unknown == (hidden, "never-1")
    assert account(catalog, [], "call-", found=False, visible=visible) == account(catalog, [], "neve-", found=False)


def test_what_was_opened_is_seen_and_heard_and_no_more(catalog: Catalog) -> None:
    """An opened interaction is visible although it is denied; it is not given out, and nothing else changes."""
    document = read_document(SALES + b"denials:\n- {name: d, everyone: true, what: [metadata], agents: [a1]}\n", "s")
    for right in Right:
        found, usual = (
            {
                row["interaction_id"]
                for page in export(
                    catalog, Filters(visible=permitted(document, Viewer("jane"), right, now=AS_OF, opened=opened))
                )
                for row in page
            }
            for opened in (["call-0"], [])
        )
        assert found == usual | ({"call-0"} if right in {Right.METADATA, Right.LISTEN} else set()), right
        assert "call-0" not in usual
