"""Triggers that count recordings by day: made, filled from what is there, and gone again."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from importlib import resources

from alembic import command
from alembic.config import Config
from sqlalchemy import insert, null, text, update

from recording_archive.catalog import day_totals as totals
from recording_archive.catalog.database import Catalog
from recording_archive.catalog.tables import recordings
from support.total_rows import any_row, shuffle

NOW = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)


def test_a_catalog_of_an_older_version_is_counted_once_and_goes_on(catalog: Catalog) -> None:
    """Recordings from before the upgrade count as those after it, whose changes are counted as they come."""
    dice = random.Random(12)  # noqa: S311 - the same rows each time
    with catalog.write() as connection:
        config = Config()
        config.set_main_option("script_location", str(resources.files("recording_archive") / "catalog" / "migrations"))
        config.attributes["connection"] = connection
        command.downgrade(config, "0012-1")
        assert not connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all()
        connection.execute(insert(recordings), [any_row(dice, number, NOW) for number in range(200)])
    upgraded = Catalog(catalog.url)
    with upgraded.write() as connection:
        assert sum(sums.recordings for sums in totals.sums_by_state(connection).values()) == 200
        assert list(totals.differing(connection)) == []
        for _ in range(20):
            shuffle(connection, dice, NOW)
        assert list(totals.differing(connection)) == []
    upgraded.close()


def test_each_change_of_what_is_counted_is_seen(catalog: Catalog) -> None:
    """Each column alone, set and unset: a change of one that no trigger watched would go unnoticed."""
    with catalog.write() as connection:
        first = any_row(random.Random(1), 1, NOW)  # noqa: S311 - the same row each time
        connection.execute(
            insert(recordings), [first | dict.fromkeys(COUNTED) | {"state": "archived", "deletion": null()}]
        )
        for name, value in COUNTED.items():
            for new in (value, "archived" if name == "state" else null()):
                connection.execute(update(recordings).values({name: new}))
                assert list(totals.differing(connection)) == [], name


COUNTED = {
    "state": "purged",
    "interaction_date": NOW,
    "verified_at": NOW,
    "verified_ok": True,
    "size_bytes": 7,
    "stored_bytes": 5,
    "deletion": {"why": "due"},
}


def test_an_update_of_what_is_not_counted_touches_no_total(catalog: Catalog) -> None:
    """Retries and acknowledgements cost nothing more: no trigger runs for them."""
    with catalog.write() as connection:
        connection.execute(insert(recordings), [any_row(random.Random(1), number, NOW) for number in range(5)])  # noqa: S311 - the same rows each time
        before = connection.exec_driver_sql("SELECT total_changes()").scalar_one()
        connection.exec_driver_sql("UPDATE recordings SET failures = failures + 1")
        assert connection.exec_driver_sql("SELECT total_changes()").scalar_one() - before == 5
