"""One document and who vouches for it, as a page tells it."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import update

from recording_archive import holds
from recording_archive.archive import Archive
from recording_archive.catalog.tables import events
from recording_archive.ledger import chain
from recording_archive.ledger.document_proof import prove_document, prove_statement
from recording_archive.ledger.sealing import seal
from recording_archive.ledger.vouching import seal_and_vouch
from support.contents import overwrite
from support.ledger_files import tell
from support.signing import signing
from support.time_authority import TimeAuthority

HELD = events.c.kind == "held"


@pytest.fixture
def hold(still: Archive) -> str:
    """The key of a hold's document."""
    made, _ = holds.create(still, matter="M", reason="r", criteria=holds.Criteria(("x",)), actor="kim")
    return f"holds/{made.id}.json"


def test_it_has_its_hash_its_head_and_who_signed_and_stamped_later_ones(
    still: Archive, hold: str, tmp_path: Path
) -> None:
    """A mark of a later head covers it, and is told with that head, its key's fingerprint, and the stamp's own time."""
    opened, key = signing(still)
    authority = TimeAuthority(tmp_path)
    with authority.served() as url:
        opened = replace(opened, settings=opened.settings.model_copy(update={"tsa_urls": url}))
        tell(opened, "ann")
        seal_and_vouch(opened)
    told = prove_document(opened, hold, HELD)
    assert told.sha256 == sha256(opened.store.read(hold)).hexdigest()
    assert told.head
    newest = chain.newest(opened.store)
    assert newest
    assert told.head.segment < newest.segment
    assert told.head == chain.head_of(opened.store, told.head.segment)
    (signed,), (stamped,) = told.signatures, told.stamps
    assert (signed.by, signed.problem) == (key.public.fingerprint, None)
    assert stamped.head == newest
    assert stamped.at
    assert (stamped.problem, told.problem) == (None, None)
    overwrite(opened.settings.root / stamped.key, b"no stamp")
    overwrite(opened.settings.root / signed.key, b"x" * 64)
    told = prove_document(opened, hold, HELD)
    assert told.signatures[0].problem == "does not fit its head"
    assert (told.stamps[0].problem or "").startswith("cannot be read")


@pytest.mark.parametrize(
    ("how", "said"), [("changed", "It was changed: its event records SHA-256 "), ("lost", ""), ("foreign", "No event")]
)
def test_what_does_not_agree_is_said(still: Archive, hold: str, how: str, said: str) -> None:
    """Another hash than its event has, no file, no event."""
    if how == "changed":
        overwrite(still.settings.root / hold, b"{}")
    if how == "lost":
        (still.settings.root / hold).unlink()
    if how == "foreign":
        with still.catalog.write() as connection:
            connection.execute(update(events).values(detail={}))
    told = prove_document(still, hold, HELD)
    assert (told.problem or "").startswith(said)
    assert told.problem
    assert (told.sha256 is None) == (how == "lost")


def test_a_statement_leans_on_its_event_or_on_the_newest_head(still: Archive) -> None:
    """What is no file has a hash all the same; before anything is sealed nobody vouches."""
    assert prove_statement(still, "ab").head is None
    tell(still, "ann")
    assert prove_statement(still, "ab", events.c.actor == "ann").head is None
    assert prove_statement(still, "ab", events.c.actor == "bob").problem
    seal(still)
    for about in ((), (events.c.actor == "ann",)):
        assert prove_statement(still, "ab", *about).head == chain.head_of(still.store, 1)
