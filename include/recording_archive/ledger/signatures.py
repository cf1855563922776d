"""Signatures of heads: `ledger/{segment}.{key}.sig`, 64 bytes of Ed25519 over the head's statement.

A signed head covers every segment before it, as each carries the hash of the one before. So a head that no one signed
at once is made good by the next.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from sqlalchemy import func, select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import segments
from recording_archive.errors import ArchiveError, ConfigurationError
from recording_archive.ledger import chain, marks
from recording_archive.ledger.chain import Head
from recording_archive.ledger.signing_key import SigningKey, known_keys, read_signing_key
from recording_archive.ledger.vouched import SIGNED, note_vouched
from recording_archive.settings import Settings

log = logging.getLogger(__name__)


def signing_key(settings: Settings) -> SigningKey | None:
    """Read the key that signs heads; None where the settings name none."""
    if not settings.signing_key_file:
        return None
    return read_signing_key(settings.signing_key, None if settings.bucket else settings.root)


def sign_heads(archive: Archive) -> None:
    """Sign the heads since the newest that this key signed, as the catalog knows them; a new key begins at the newest.

    What goes wrong stops nobody: the log says it, `check` too, and the next sealing signs what this one did not.
    """
    try:
        if key := signing_key(archive.settings):
            _sign(archive, key)
    except ArchiveError:
        log.exception("The ledger's head could not be signed; the next sealing tries again")


def tell_signing(archive: Archive) -> str:
    """Say which key signs, and up to where it did; raise ConfigurationError when it cannot sign."""
    key = signing_key(archive.settings)
    if key is None:
        return (
            "warning: the ledger's heads are not signed: set RECORDING_ARCHIVE_SIGNING_KEY_FILE, and run "
            "`recording-archive keys create`"
        )
    name, newest = _name_of(archive, key), _newest(archive)
    signed = marks.newest_marked(archive.store, marks.SIGNATURE, name, most=newest)
    return f"key {name} signs; signed up to segment {signed} of {newest}"


def _name_of(archive: Archive, key: SigningKey) -> str:
    """Name a key that the archive has; raise ConfigurationError for another."""
    name = key.public.name
    if name not in known_keys(archive.store):
        raise ConfigurationError(
            f"the signing key {name} is none of this archive's: run `recording-archive keys create`, or `keys rotate` "
            "when another one signed until now"
        )
    return name


def _sign(archive: Archive, key: SigningKey) -> None:
    name = _name_of(archive, key)
    signed = marks.newest_marked(archive.store, marks.SIGNATURE, name, most=_newest(archive))
    for head in _unsigned(archive, signed):
        archive.store.put(marks.mark_key(head, marks.SIGNATURE, name), key.sign(chain.statement(archive.id, head)))
        signed = head.segment
    note_vouched(archive, SIGNED, signed)


def _newest(archive: Archive) -> int:
    with archive.catalog.read() as connection:
        return connection.execute(select(func.max(segments.c.number))).scalar() or 0


def _unsigned(archive: Archive, signed: int) -> Iterator[Head]:
    """Read the heads that are to be signed from the catalog, which nobody changes who can write the archive alone."""
    query = select(segments.c.number, segments.c.sha256)
    newest = query.order_by(segments.c.number.desc()).limit(1)
    later = query.where(segments.c.number > signed).order_by(segments.c.number)
    with archive.catalog.read() as connection:
        rows = connection.execute(later if signed else newest).all()
    return (Head(row.number, row.sha256) for row in rows)
