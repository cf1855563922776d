"""The survey of holds: what events, documents and catalog tell, compared."""

from __future__ import annotations

from sqlalchemy import delete, update

from recording_archive.archive import Archive
from recording_archive.catalog.tables import events, holds
from recording_archive.holds import release
from recording_archive.holds.survey import Survey, survey
from support.hold_files import NOON, hold, put_hold, put_release

HOLD = "H-20261124-00000f"


def test_holds_in_order_need_nobody(archive: Archive) -> None:
    """Made, and made and released: each has document, row and event."""
    hold(archive)
    release(archive, hold(archive).id, reason="settled", actor="max")
    assert survey(archive) == Survey((), (), (), ())


def test_each_kind_of_disorder_is_told_apart(archive: Archive) -> None:
    """Lost, unknown, untold and foreign; a file of no hold is foreign as well."""
    lost, unrecorded, unreleased = (hold(archive) for _ in range(3))
    (archive.settings.root / f"holds/{lost.id}.json").unlink()
    with archive.catalog.write() as connection:
        connection.execute(update(holds).where(holds.c.id == unrecorded.id).values(released_at=NOON))
    files = {put_hold(archive, HOLD), put_release(archive, unreleased), "holds/notes.txt"}
    (archive.settings.root / "holds/notes.txt").write_text("x")
    assert survey(archive) == Survey((lost.id,), (HOLD,), (unrecorded.id,), tuple(sorted(files)))


def test_a_hold_that_was_released_is_not_lost(archive: Archive) -> None:
    """Its documents may be gone, and its row: nothing is kept for its sake."""
    made = release(archive, hold(archive).id, reason="settled", actor="max")
    (archive.settings.root / f"holds/{made.id}.json").unlink()
    with archive.catalog.write() as connection:
        connection.execute(delete(holds))
    assert survey(archive) == Survey((), (), (), ())


def test_an_event_without_a_hash_is_an_event(archive: Archive) -> None:
    """Who made the hold is known by its id."""
    made = hold(archive)
    with archive.catalog.write() as connection:
        connection.execute(update(events).where(events.c.kind == "held").values(detail={"hold": made.id}))
    assert survey(archive) == Survey((), (), (), ())
