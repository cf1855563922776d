"""The catalog on a real PostgreSQL: the same tables, the same rules."""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, func, insert, inspect, select, text, update

from recording_archive.archive import Archive
from recording_archive.archiving.completeness import day_window, judge_days
from recording_archive.catalog import day_totals as totals
from recording_archive.catalog.database import Catalog
from recording_archive.catalog.events import record
from recording_archive.catalog.migrations import HEAD, VERSION_TABLE
from recording_archive.catalog.party_index import index
from recording_archive.catalog.search import Filters, listed, search
from recording_archive.catalog.search_ids import starts
from recording_archive.catalog.tables import day_totals, dispositions, events, party_values, recordings, tables
from recording_archive.disposition import plan, processes
from recording_archive.disposition.plan import make_plan
from recording_archive.model import STORED, Party, State
from recording_archive.parties.documents import NAMES, columns
from recording_archive.settings import Settings
from recording_archive.store.local import LocalStore
from recording_archive.store.locate import staging_at
from support.services import Postgres
from support.spellings import GUID
from support.total_rows import any_row, shuffle

pytestmark = pytest.mark.cluster
DAY = timedelta(days=1)


@pytest.fixture
def url(postgres: Postgres) -> str:
    """An empty database."""
    return postgres.url(f"catalog_{uuid.uuid4().hex}")


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    """A new catalog."""
    opened = Catalog(url)
    yield opened
    opened.close()


def test_migrations_lead_to_the_tables_of_the_code(url: str) -> None:
    """Every step up ends at what a new catalog gets at once, and every step down at nothing."""
    engine = create_engine(url)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(resources.files("recording_archive") / "catalog" / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert context.get_current_revision() == HEAD
        assert compare_metadata(context, tables) == []
        command.downgrade(config, "base")
        assert inspect(connection).get_table_names() == [VERSION_TABLE]


def test_eight_may_open_a_new_catalog_at_once(url: str) -> None:
    """Several processes that start together migrate once."""
    failures: list[Exception] = []

    def start() -> None:
        try:
            Catalog(url).close()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_events_keep_their_zone(catalog: Catalog) -> None:
    """A moment comes back as the same moment, aware and in UTC."""
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with catalog.write() as connection:
        record(connection, "seen", None, at=now)
    with catalog.read() as connection:
        assert connection.execute(select(events.c.at)).scalar_one() == now


def test_the_start_of_an_id_is_found_by_its_index(catalog: Catalog) -> None:
    """The server sorts texts by language, the index by bytes; a GUID is found in either case."""
    names = (GUID, GUID.upper().replace("4F2A", "4F2B"), "4f2-a9c00", "call-1")
    with catalog.write() as connection:
        rows = [{"interaction_id": each, "recording_id": each, "part": 0, "state": "archived"} for each in names]
        connection.execute(insert(recordings), rows)
    for start, wanted in ((GUID[:7].upper(), {names[0]}), ("4f2b9c00-", {names[1]}), ("4f2-a9", {names[2]})):
        assert {row["interaction_id"] for row in search(catalog, Filters(text=start)).rows} == wanted
    with catalog.read() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        (condition, *_) = starts(connection, "call-1")
        query = select(recordings.c.part).where(condition).compile(connection, compile_kwargs={"literal_binds": True})
        assert "ix_recordings_interaction_id_start" in str(connection.execute(text(f"EXPLAIN {query}")).all())


def met(number: int) -> dict[str, Any]:
    """A call that an agent was asked to join, who joins most; some of them have no date."""
    date = None if number % 50 == 0 else datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number * 7 % 3000)
    main = dict.fromkeys(NAMES) | {"ani": "+442079460958", "queue_name": "Sales" if number % 2 else "Care"}
    parties = [Party("b-1", "Bob" if number % 10 else "Cy", certain=number % 3 > 0)]
    part = {"interaction_id": f"call-{number}", "recording_id": "r", "part": 0}
    return {**part, "state": "archived", "interaction_date": date, **main, **columns(main, parties, "")}


def scans(plan: Any) -> Iterator[Any]:
    """The nodes of a plan that read the index of parties in order."""
    if plan.get("Index Name") == "pk_party_values":
        yield plan
    for each in plan.get("Plans", ()):
        yield from scans(each)


def test_an_agents_calls_are_found_in_order_also_after_an_upgrade(url: str) -> None:
    """A catalog of schema 10 gets the dates; then a page reads about a page of the index, and next pages go on."""
    rows = [met(number) for number in range(3000)]
    with closing(Catalog(url)) as made, made.write() as connection:
        connection.execute(insert(recordings), rows)
        index(connection, rows)
        wanted = set(connection.execute(select(*party_values.c)).all())
        config = Config()
        config.set_main_option("script_location", str(resources.files("recording_archive") / "catalog" / "migrations"))
        config.attributes["connection"] = connection
        command.downgrade(config, "0010")
    with closing(Catalog(url)) as opened:
        with opened.write() as connection:
            assert set(connection.execute(select(*party_values.c)).all()) == wanted
            connection.execute(text("ANALYZE"))
            query = listed(connection, Filters(agent='"Bob"'), 50)
            sql = query.compile(connection, compile_kwargs={"literal_binds": True})
            [[[found]]] = connection.execute(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")).all()
            read = list(scans(found["Plan"]))
            assert read
            assert all(each["Actual Rows"] * each["Actual Loops"] < 200 for each in read)
        asked, seen, after = Filters(agent="bob", queue="care"), [], None
        while True:
            page = search(opened, asked, limit=299, after=after)
            seen += [row["interaction_id"] for row in page.rows]
            if (after := page.next) is None:
                break
        meant = [row for row in rows if row["queue_name"] == "Care" and row["parties"][0]["agentName"] == "Bob"]
        meant.sort(key=lambda row: (row["interaction_date"] or datetime(1, 1, 1, tzinfo=UTC), row["interaction_id"]))
        assert seen == [row["interaction_id"] for row in reversed(meant)]


def test_a_restart_of_the_server_is_survived(catalog: Catalog, postgres: Postgres) -> None:
    """Connections that the server cut are replaced without an error."""
    with catalog.read() as connection:
        connection.execute(select(events)).all()
    postgres.restart()
    with catalog.read() as connection:
        assert connection.execute(select(events)).all() == []


def test_several_processes_make_the_plan_of_one(
    catalog: Catalog, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut into pages by date and id, which sort as they are compared, it has the same rows and hash."""
    when, archived = datetime(2026, 1, 1, tzinfo=UTC), {"state": "archived", "verified_ok": True}
    facts = {"recording_id": "r", "part": 0, "stored_bytes": 1, "sha256": "0", "parties": [], **archived}
    rows = [
        {
            **facts,
            "interaction_id": f"{'aB_-'[n % 4]}{n}",
            "stored_sha256": f"{n}",
            "interaction_date": when + n // 5 * DAY,
        }
        for n in range(40)
    ]
    with catalog.write() as connection:
        connection.execute(insert(recordings), rows)
    settings = Settings(url=str(tmp_path / "root"), catalog_url=url, retention_days=90)
    archive = Archive("a", LocalStore(settings.root), catalog, settings, staging_at(settings))
    settings.root.mkdir()
    given = {"dry_run": True, "as_of": when + 94 * DAY, "page_size": 3}
    alone = make_plan(archive, "alone", **given)
    monkeypatch.setattr(plan, "MANY", 1)
    monkeypatch.setattr(processes, "cores", lambda: 2)
    together = make_plan(archive, "together", **given)
    assert (together.sha256, together.counts, together.kept) == (alone.sha256, alone.counts, alone.kept)
    assert alone.counts["quarantine"] == 25
    order = select(dispositions.c.interaction_id).order_by(dispositions.c.id)
    with catalog.read() as connection:
        first, second = (
            connection.execute(order.where(dispositions.c.run_id == run)).scalars().all()
            for run in ("alone", "together")
        )
    assert first == second


def test_totals_by_day_are_what_a_count_gives(catalog: Catalog) -> None:
    """After every statement, in transactions of their own that fold now and then; undone ones count for nothing."""
    dice, now = random.Random(16), datetime(2026, 11, 28, 9, 30, tzinfo=UTC)  # noqa: S311 - the same rows each time
    with catalog.write() as connection:
        connection.execute(insert(recordings), [any_row(dice, number, now) for number in range(600)])
    for number in range(300):
        with catalog.write() as connection:
            shuffle(connection, dice, now)
            assert number % 10 or list(totals.differing(connection)) == []
            if number % 7 == 0:
                connection.rollback()
    with catalog.write() as connection:
        entries = select(func.count(day_totals.c.entry.distinct()))
        assert connection.execute(entries).scalar_one() < 257  # of 257 transactions: they were folded
        assert list(totals.differing(connection)) == []
        totals.recount(connection)
        assert connection.execute(entries).scalar_one() == 1
        assert list(totals.differing(connection)) == []
    days = [day_window(now.date() - timedelta(days=back), ZoneInfo("Asia/Kathmandu")) for back in range(30)]
    with catalog.read() as connection:
        for window, sums in zip(days, totals.sums_within(connection, days), strict=True):
            within = (recordings.c.interaction_date >= window.start, recordings.c.interaction_date < window.end)
            stored = select(func.count()).where(recordings.c.state.in_(STORED), *within)
            assert sums.recordings == connection.execute(stored).scalar_one()
        everything, since = totals.count_sound(connection, [now - timedelta(days=7)])
        assert 0 < since < everything
        assert [day.missing for day in judge_days(connection, {now.date(): days[0]}, now)] == [
            connection.execute(
                select(func.count()).where(
                    recordings.c.state == State.DISCOVERED,
                    recordings.c.interaction_date >= days[0].start,
                    recordings.c.interaction_date < days[0].end,
                )
            ).scalar_one()
        ]


def test_writers_of_the_same_days_do_not_wait_for_each_other(catalog: Catalog) -> None:
    """Two transactions that change the same days in opposite order both come to their end."""
    dice, now = random.Random(2), datetime(2026, 11, 28, 9, 30, tzinfo=UTC)  # noqa: S311 - the same rows each time
    with catalog.write() as connection:
        connection.execute(insert(recordings), [any_row(dice, number, now) for number in range(4)])

    def purge(connection: Connection, number: int) -> None:
        mine = recordings.c.interaction_id == f"call-{number}"
        connection.execute(update(recordings).where(mine).values(state=State.PURGED, interaction_date=now))

    with catalog.engine.connect() as one, catalog.engine.connect() as two:
        two.execute(text("SET lock_timeout = '5s'"))
        purge(one, 0)
        purge(two, 1)
        purge(two, 2)
        purge(one, 3)
        two.commit()
        one.commit()
        assert list(totals.differing(one)) == []
        assert totals.sums_by_state(one)[State.PURGED].recordings == 4
