"""Documents without which nothing is deleted: those of the holds, policies and erasures that the ledger records.

Where a document is missing, nobody knows what else is, so nothing is deleted until a person put it back or decided.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select

from recording_archive.archive import Archive
from recording_archive.catalog.events import record
from recording_archive.catalog.tables import events, recordings
from recording_archive.disposition.caps import STORED
from recording_archive.disposition.certificate import certificate_key
from recording_archive.errors import StoreError, TransientError
from recording_archive.holds.survey import survey
from recording_archive.model import State
from recording_archive.retention import policy_in_force

_ACCEPTED = "loss_accepted"  # kind of the event by which a person accepts that a document is lost
_NAMED = 5  # in one message


def require_documents(archive: Archive) -> None:
    """Raise StoreError that names holds, erasures or undated recordings of which the ledger tells and no document.

    Raises TransientError for a hold that the catalog lacks: a person may be making it at this moment.
    """
    found = survey(archive)
    if found.lost:
        raise StoreError(
            f"{archive.store} has lost the document of {_some(found.lost)}, which the ledger says holds: restore "
            "holds/{id}.json from a copy of the archive and run `recording-archive reindex`, or end the hold with "
            "`recording-archive hold release`"
        )
    if found.unrecorded:
        raise StoreError(
            f"The catalog has {_some(found.unrecorded)} released, and no event records it: find out who changed the "
            "catalog, and rebuild it in an empty database with `recording-archive reindex`"
        )
    if erased := list(lost_erasures(archive)):
        raise StoreError(
            f"{archive.store} has lost tombstones and certificate of an erasure, {_some(erased)}: restore them from a "
            "copy of the archive, or accept the loss with `recording-archive take-up`"
        )
    if dated := _dated(archive):
        raise StoreError(
            f"{dated} was archived without a date, and the catalog has one: find out who changed the catalog, and "
            "rebuild it in an empty database with `recording-archive reindex`"
        )
    if found.unknown:
        raise TransientError(
            f"{archive.store} has the hold {found.unknown[0]} that the catalog lacks: run `recording-archive reindex`, "
            "which says why when it cannot take it"
        )


def documents_in_order(archive: Archive) -> str:
    """Say that every hold and policy has its document and its event; raise StoreError that names those without."""
    require_documents(archive)
    policy = policy_in_force.in_force(archive)
    if foreign := foreign_documents(archive):
        raise StoreError(
            f"{_some(foreign)}: foreign, no event tells that a person made it. Find out who put it there; if it is "
            "right, take it up with `recording-archive take-up KEY --reason …`"
        )
    return f"holds and policies have their documents and events; policy {policy.name} is in force"


def foreign_documents(archive: Archive) -> list[str]:
    """List holds, releases and policies that no event of a person records, by key."""
    return [*survey(archive).foreign, *policy_in_force.foreign(archive)]


def lost_erasures(archive: Archive) -> Iterator[str]:
    """Yield the certificates of erasures of which neither the certificate nor every tombstone is left, by key."""
    erased = (recordings.c.state == State.ERASED, recordings.c.certificate.is_not(None))
    with archive.catalog.read() as connection:
        numbers = connection.execute(select(recordings.c.certificate).distinct().where(*erased)).scalars().all()
        gone = select(events.c.detail).where(events.c.interaction_id.is_(None), events.c.kind == _ACCEPTED)
        accepted = {detail["lost"] for detail in connection.execute(gone).scalars()}
    lacking = {certificate_key(number) for number in numbers}.difference(archive.store.list("certificates/"), accepted)
    yield from (key for key in sorted(lacking) if not _has_tombstones(archive, key))


def accept_loss(archive: Archive, key: str, *, reason: str, actor: str) -> None:
    """Record that a person goes by the ledger's word for a document that is lost for good."""
    detail = {"lost": key, "reason": reason}
    with archive.catalog.write() as connection:
        record(connection, _ACCEPTED, None, at=archive.clock(), actor=actor, detail=detail)


def _has_tombstones(archive: Archive, certificate: str) -> bool:
    """Tell if each part that a certificate lists has its tombstone."""
    number = certificate.rpartition("/")[2].removesuffix(".json")
    mine = select(recordings.c.interaction_id).where(recordings.c.certificate == number)
    erased = select(events.c.detail).where(events.c.interaction_id.in_(mine), events.c.kind == "erased")
    with archive.catalog.read() as connection:
        details = connection.execute(erased).scalars().all()
    keys = {key for detail in details for key in detail.get("files", {}) if key.startswith("tombstones/")}
    return bool(keys) and all(archive.store.size(key) is not None for key in keys)


def _dated(archive: Archive) -> str | None:
    """Find a stored recording that has a date although it lies where those without one do."""
    undated = recordings.c.key.like("recordings/%/undated/%")
    wanted = (recordings.c.state.in_(STORED), recordings.c.interaction_date.is_not(None), undated)
    with archive.catalog.read() as connection:
        return connection.execute(select(recordings.c.key).where(*wanted).limit(1)).scalar()


def _some(names: list[str] | tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
