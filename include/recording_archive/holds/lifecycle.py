"""The life of a hold: made, told, released.

    document in the archive → rows of the catalog and event, in one transaction → sealed into the ledger → confirmed

A crash after the document leaves a hold, or a release, nobody was told of. Such a hold holds, such a release releases
nothing, until a person takes it up with `recording-archive take-up`.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from hashlib import sha256
from secrets import token_hex

from sqlalchemy import literal, select, tuple_

from recording_archive.archive import Archive
from recording_archive.catalog.tables import holds
from recording_archive.errors import ArchiveError, ConfigurationError, TransientError
from recording_archive.holds import rows
from recording_archive.holds.criteria import Criteria, checked, is_storable
from recording_archive.holds.documents import (
    Hold,
    compose,
    compose_release,
    is_hold_id,
    key_of,
    release_key_of,
)
from recording_archive.holds.effect import Effect, effect
from recording_archive.holds.survey import read_recorded
from recording_archive.ledger.sealing import seal
from recording_archive.spelling.ids import clean_id
from recording_archive.store.documents import publish

log = logging.getLogger(__name__)

LONGEST_MATTER, LONGEST_REASON = 200, 2000


def create(archive: Archive, *, matter: str, reason: str, criteria: Criteria, actor: str) -> tuple[Hold, Effect]:
    """Put on hold what is there and what is still to come; on return the hold's document lies in the archive.

    Its numbers are read by the region that is configured now. Raises ConfigurationError for what no hold can be of.
    What it matches is counted after it holds, so that nothing counted as held is deleted.
    """
    texts = checked_text("matter", matter, LONGEST_MATTER), checked_text("reason", reason, LONGEST_REASON)
    wanted = checked(replace(criteria, region=archive.settings.phone_region))
    made = Hold(_new_id(archive), *texts, actor, archive.clock(), wanted, None, None, None)
    digest = publish(archive.store, key_of(made.id), compose(archive.id, made))
    try:
        with archive.catalog.write() as connection:
            rows.enter(connection, made, digest)
    except ArchiveError as error:
        raise TransientError(_unknown_to_catalog(key_of(made.id), error)) from error
    _seal(archive)
    try:
        return made, effect(archive, made)
    except ArchiveError as error:
        raise TransientError(f"Hold {made.id} holds, but what it matches could not be counted: {error}") from error


def release(archive: Archive, hold_id: str, *, reason: str, actor: str) -> Hold:
    """End a hold: what no other hold holds is subject to the policy again.

    A hold of which only the ledger tells, because its document is gone, is ended likewise. Raises ConfigurationError
    when there is no such hold, it was released before, or there is a release that nobody is known to have made.
    """
    why = checked_text("reason", reason, LONGEST_REASON)
    hold = _unreleased(_find(archive, hold_id))
    ended = replace(hold, released_at=archive.clock(), released_by=actor, release_reason=why)
    key, content = release_key_of(hold.id), compose_release(archive.id, ended)
    if not archive.store.put(key, content):
        _unreleased(_find(archive, hold_id))  # another release was faster
        raise ConfigurationError(_foreign_release(key, hold.id))
    digest = sha256(content).hexdigest()
    try:
        with archive.catalog.write() as connection:
            if not rows.end(connection, ended, digest):  # the ledger alone knows it
                rows.tell_ended(connection, hold.id, digest, at=archive.clock(), actor=actor)
    except ArchiveError as error:
        raise TransientError(_unknown_to_catalog(key, error)) from error
    _seal(archive)
    return ended


def read(archive: Archive, hold_id: str) -> Hold:
    """One hold, released or not; raise ConfigurationError when the catalog has none of this id."""
    row, hold_id = None, clean_id(hold_id)
    if is_hold_id(hold_id):
        with archive.catalog.read() as connection:
            row = connection.execute(select(holds).where(holds.c.id == hold_id)).one_or_none()
    if row is None:
        raise ConfigurationError(
            f"There is no hold {hold_id!r}: `recording-archive hold list --all` names those there are; "
            "a catalog that was lost or restored gets back the archive's by `recording-archive reindex`"
        )
    return rows.to_hold(row)


def find(archive: Archive, *, active: bool = False, limit: int = 50, after: Hold | None = None) -> list[Hold]:
    """Holds, newest first; ``active`` leaves out those released, ``after`` is the last of the page before."""
    key = (holds.c.created_at, holds.c.id)
    query = select(holds).order_by(*(column.desc() for column in key)).limit(limit)
    if active:
        query = query.where(rows.ACTIVE)
    if after:
        place = (literal(after.created_at, holds.c.created_at.type), literal(after.id))
        query = query.where(tuple_(*key) < tuple_(*place))
    with archive.catalog.read() as connection:
        return [rows.to_hold(row) for row in connection.execute(query)]


def _find(archive: Archive, hold_id: str) -> Hold:
    """One hold by the catalog; by its event alone, without what it asks for, when its document and its row are gone."""
    try:
        return read(archive, hold_id)
    except ConfigurationError:
        with archive.catalog.read() as connection:
            recorded = read_recorded(connection)
        if hold_id not in recorded.held or hold_id in recorded.released:
            raise
        made = recorded.held[hold_id]
        return Hold(hold_id, "its document is gone", "", made.owner or "", made.at, Criteria(), None, None, None)


def _new_id(archive: Archive) -> str:
    """An id that sorts by day and has no document; where two get the same at one moment, the second is refused."""
    while True:
        hold_id = f"H-{archive.clock():%Y%m%d}-{token_hex(3)}"
        if archive.store.size(key_of(hold_id)) is None:
            return hold_id


def checked_text(name: str, text: str, longest: int = LONGEST_REASON) -> str:
    """Strip a text that is kept for good; raise ConfigurationError for an empty or too long one."""
    stripped = text.strip()
    if not stripped:
        raise ConfigurationError(f"{name} is empty: it is kept for good, and tells later why the recordings were held")
    if len(stripped) > longest or not is_storable(stripped):
        raise ConfigurationError(f"{name} is longer than {longest} characters or no text")
    return stripped


def _unreleased(hold: Hold) -> Hold:
    if hold.released_at is not None:
        when = f"{hold.released_at:%Y-%m-%d %H:%M} UTC"
        raise ConfigurationError(
            f"Hold {hold.id} was released already, by {hold.released_by} at {when}; to hold again, create a new one"
        )
    return hold


def _seal(archive: Archive) -> None:
    """Seal at once. The hold holds already, so what cannot be sealed now is left to the next run."""
    try:
        seal(archive)
    except ArchiveError as error:
        log.warning("the event of a hold is not sealed yet: %s", error)


def _unknown_to_catalog(key: str, error: ArchiveError) -> str:
    return (
        f"{key} lies in the archive, but the catalog did not take it ({error}): take it up with `recording-archive "
        f"take-up {key} --reason …`; do not give it in again"
    )


def _foreign_release(key: str, hold_id: str) -> str:
    return (
        f"{key} lies in the archive, and no event tells who released: a release is being made at this moment, a crash "
        f"cut one short, or someone put the file there. Hold {hold_id} holds; look at the file, then take it up with "
        f"`recording-archive take-up {key} --reason …`"
    )
