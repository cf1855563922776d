"""The access document in force: adopted by a person, kept in the archive, and what was opened for a while.

Documents lie in the archive as ``access/000001.yaml`` and so on; the highest that an event records is in force.
Without any, everything is as Airflow's permissions have it. One that is gone or was changed, and a newer one that
nobody adopted, are for a person: meanwhile nobody sees anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from threading import Lock
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, func, select

from recording_archive.access.document import read_document
from recording_archive.access.rules import Document
from recording_archive.archive import Archive
from recording_archive.catalog.database import Catalog
from recording_archive.catalog.events import record
from recording_archive.catalog.tables import events
from recording_archive.errors import StoreError
from recording_archive.ledger import sealing
from recording_archive.store.base import Store

FOLDER = "access/"
ADOPTED = "access_adopted"
_AGAIN = 1000  # events
_NUMBERED = re.compile(r"access/(\d{6})\.yaml")
_MEND = "restore it from a copy of the archive, or adopt a document with `recording-archive access adopt`"
_NOBODY = "until then nobody sees a recording"


def in_force(archive: Archive) -> Document | None:
    """Return the document that decides now; None where there never was one.

    Raise StoreError when it was changed since it was adopted, is gone, or when nobody adopted a newer one.
    """
    adopted = adoptions(archive.catalog)  # before the folder: a document is there before its event
    return _read(archive.store, adopted)


def in_order(archive: Archive) -> str:
    """Say which access document is in force; raise StoreError that names one without document or event."""
    document = in_force(archive)
    return f"access document {document.name} is in force" if document else "no access document"


def foreign(archive: Archive) -> list[str]:
    """List the access documents of the archive that nobody adopted, by key."""
    adopted = adoptions(archive.catalog)
    return [key for key in archive.store.list(FOLDER) if _NUMBERED.fullmatch(key) and key not in adopted]


def adopt(archive: Archive, content: bytes, name: str, *, actor: str) -> Document:
    """Put a document to use, durable in the archive and sealed in the ledger on return.

    One that is in force already stays as it is. Raise ConfigurationError for one that is wrong.
    """
    document = read_document(content, name)
    key = _enter(archive, document.version, content, actor=actor)
    sealing.seal(archive)
    return replace(document, origin=key)


def adoptions(catalog: Catalog) -> dict[str, str | None]:
    """Read which documents events record, by key, with the SHA-256 that each was adopted with last."""
    with catalog.read() as connection:
        return _adoptions(connection)


def tell(archive: Archive, key: str, version: str, *, actor: str, **more: str) -> None:
    """Write the event of an adoption."""
    with archive.catalog.write() as connection:
        detail = {"files": {key: version}, **more}
        record(connection, ADOPTED, None, at=archive.clock(), actor=actor, detail=detail)


class Watch:
    """The document in force, as a server asks at each request: read again when an event records another one."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._known: WeakKeyDictionary[Catalog, _Known] = WeakKeyDictionary()
        self._lock = Lock()

    def in_force(self, archive: Archive) -> Document | None:
        """Return what `in_force` returns, for the price of looking at the newest events."""
        with self._lock:
            known = self._known.get(archive.catalog)
            adopted, last = _look(archive.catalog, known)
            if known is None or adopted != known.adopted:
                known = _Known(last, adopted, _read(archive.store, adopted))
            self._known[archive.catalog] = replace(known, last=last)
            return known.document


@dataclass(frozen=True, slots=True)
class _Known:
    """Knowledge of a process: the adoptions up to an event, and the document that it read."""

    last: int
    adopted: Mapping[str, str | None]
    document: Document | None


def _look(catalog: Catalog, known: _Known | None) -> tuple[Mapping[str, str | None], int]:
    """Return all adoptions and the newest event; those that a process knows are not looked for again.

    Transactions that were faster may have later events: so the last few are looked at each time.
    """
    with catalog.read() as connection:
        last = connection.execute(select(func.max(events.c.id))).scalar() or 0
        if known is None or known.last > last:  # at first, and over another catalog than before
            return _adoptions(connection), last
        return {**known.adopted, **_adoptions(connection, after=known.last - _AGAIN)}, last


def _adoptions(connection: Connection, *, after: int | None = None) -> dict[str, str | None]:
    wanted = [events.c.interaction_id.is_(None), events.c.kind == ADOPTED]  # has an index of its own
    details = select(events.c.detail).where(*wanted, *([] if after is None else [events.c.id > after]))
    adopted: dict[str, str | None] = {}
    for detail in connection.execute(details.order_by(events.c.segment.nulls_last(), events.c.id)).scalars():
        adopted |= detail.get("files", {})
    return adopted


def _read(store: Store, adopted: Mapping[str, str | None]) -> Document | None:
    key, lying = max(adopted, default=None), [key for key in store.list(FOLDER) if _NUMBERED.fullmatch(key)]
    newest = max(lying, default=None)
    if newest is not None and (key is None or newest > key):
        raise StoreError(
            f"{newest} in {store} is foreign: no event tells that it was adopted. Find out who put it there; then take "
            f"it up with `recording-archive take-up {newest} --reason …`, or adopt another document; {_NOBODY}"
        )
    if key is None:
        return None
    if key not in lying:
        raise StoreError(f"{key} was adopted by the ledger's word and is gone from {store}: {_MEND}; {_NOBODY}")
    document = read_document(store.read(key), key)
    if adopted[key] not in (None, document.version):
        raise StoreError(
            f"{key} in {store} has SHA-256 {document.version}, adopted was {adopted[key]}: {_MEND}; {_NOBODY}"
        )
    return document


def _enter(archive: Archive, version: str, content: bytes, *, actor: str) -> str:
    """Return the key of a document once it is the newest and has its event, whatever was cut short before."""
    adopted = adoptions(archive.catalog)
    lying = [key for key in archive.store.list(FOLDER) if _NUMBERED.fullmatch(key)]
    key = max((*lying, *adopted), default="")
    same = key in lying and sha256(archive.store.read(key)).hexdigest() == version
    if not same or adopted.get(key) not in (None, version):
        key = _publish(archive.store, content, after=key)
    if key not in adopted:
        tell(archive, key, version, actor=actor)
    return key


def _publish(store: Store, content: bytes, *, after: str) -> str:
    """Store a document under the next number; where another was faster, under the one after it."""
    number = int(after.removeprefix(FOLDER).removesuffix(".yaml")) if after else 0
    while (number := number + 1) < 10**6:
        key = f"{FOLDER}{number:06d}.yaml"
        if store.put(key, content):
            return key
    raise StoreError(f"{after} in {store} has the last number there is: find out who put it there")
