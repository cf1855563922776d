"""A person takes up a document that nobody is known to have made."""

from __future__ import annotations

from hashlib import sha256

import pytest
from sqlalchemy import delete

from recording_archive.archive import Archive
from recording_archive.catalog.tables import events, segments
from recording_archive.errors import ConfigurationError, PermanentError, StoreError
from recording_archive.holds import find
from recording_archive.ledger.chain import newest
from recording_archive.recovery.take_up import TakenUp, take_up
from support.contents import events_of, overwrite
from support.hold_files import hold, put_hold, put_release

HOLD = "H-20261124-00000f"


def test_a_hold_is_taken_up_with_its_hash_and_the_person(archive: Archive) -> None:
    """The event is sealed; a second time there is nothing to do."""
    key = put_hold(archive, HOLD)
    assert take_up(archive, key, reason=" ours ", actor="rosa") == TakenUp(key, new=True, effect=f"hold {HOLD} holds")
    (event,) = events_of(archive, "held")
    digest = sha256(archive.store.read(key)).hexdigest()
    assert event.actor == "rosa"
    assert event.detail == {"hold": HOLD, "files": {key: digest}, "reason": "ours"}
    assert event.segment == newest(archive.store).segment  # type: ignore[union-attr]  # there is one
    assert [each.id for each in find(archive, active=True)] == [HOLD]
    assert not take_up(archive, key, reason="ours", actor="rosa").new
    assert len(events_of(archive, "held")) == 1


def test_a_release_ends_its_hold(archive: Archive) -> None:
    """A release is a document of its own."""
    made = hold(archive)
    key = put_release(archive, made)
    assert take_up(archive, key, reason="the letter", actor="rosa").effect == f"hold {made.id} is released"
    assert find(archive, active=True) == []
    assert find(archive)[0].released_by == "eve"
    assert events_of(archive, "released")[0].actor == "rosa"


def test_a_release_without_its_hold_is_refused(archive: Archive) -> None:
    """There is nothing that it could end."""
    made = hold(archive)
    key = put_release(archive, made).replace(made.id, HOLD)
    (archive.settings.root / key).write_bytes((archive.settings.root / f"holds/{made.id}.released.json").read_bytes())
    with pytest.raises(PermanentError, match="no sound document"):
        take_up(archive, key, reason="r", actor="rosa")
    assert events_of(archive, "released") == []


@pytest.mark.parametrize("key", ["holds/H-1.json", "policies/a.yaml", "policies/000001.yaml", "tombstones/x", "../x"])
def test_nothing_else_can_be_taken_up(archive: Archive, key: str) -> None:
    """A file of another kind, or none at all, is refused by name."""
    with pytest.raises(PermanentError, match=key):
        take_up(archive, key, reason="r", actor="rosa")
    with pytest.raises(ConfigurationError, match="reason is empty"):
        take_up(archive, key, reason=" ", actor="rosa")


def test_what_was_changed_is_not_taken_up(archive: Archive) -> None:
    """A hold that differs from its event is restored from a copy, or released."""
    key = f"holds/{hold(archive).id}.json"
    path = archive.settings.root / key
    overwrite(path, path.read_bytes() + b"\n")
    with pytest.raises(PermanentError, match="was changed"):
        take_up(archive, key, reason="r", actor="rosa")


def test_a_catalog_older_than_the_archive_is_rebuilt_first(archive: Archive) -> None:
    """It may only have forgotten who made the document."""
    key = f"holds/{hold(archive).id}.json"
    with archive.catalog.write() as connection:
        connection.execute(delete(segments))
        connection.execute(delete(events))
    with pytest.raises(StoreError, match="reindex` first"):
        take_up(archive, key, reason="r", actor="rosa")
