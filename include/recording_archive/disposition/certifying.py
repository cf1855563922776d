"""Give deleted parts their certificate: durable document first, then rows, plan and events in one transaction.

A certificate has its number from the intents that it is to certify, so an attempt that crashed after publishing it is
taken up with the same one. Where two attempts are alive at once the first to publish a number wins: what its document
does not list gets another number.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, select, update

from recording_archive.archive import Archive, require_root
from recording_archive.catalog.events import record
from recording_archive.catalog.party_index import unindex
from recording_archive.catalog.rows import NO_FAILURE, among, is_part, part_of
from recording_archive.catalog.tables import dispositions, recordings, work
from recording_archive.disposition import certificate
from recording_archive.disposition.personal import day_of, without_personal_data
from recording_archive.disposition.plan_table import DONE
from recording_archive.model import PartId, State
from recording_archive.retention.rules import Action


def certify(archive: Archive, run_id: str, gone: Sequence[certificate.Gone]) -> None:
    """Give each part its certificate, and close its row."""
    waiting = {each.part: each for each in gone}
    while waiting:
        with archive.catalog.read() as connection:
            rows = connection.execute(select(recordings).where(_unfinished(waiting))).all()
        waiting = {part_of(row): waiting[part_of(row)] for row in rows}  # the others were finished meanwhile
        groups: dict[tuple[str | None, str], list[Row[Any]]] = {}
        for row in rows:
            groups.setdefault((row.deletion.get("number"), row.deletion["run"]), []).append(row)
        for (number, _), group in groups.items():
            certified = _issue(archive, run_id, number, group, waiting) if number else set()
            _renumber(archive, [part_of(row) for row in group if part_of(row) not in certified], number)
            waiting = {part: each for part, each in waiting.items() if part not in certified}


def finish_deletion(connection: Connection, row: Row[Any], number: str) -> None:
    """Close the row of a part that is gone; an erased one loses its personal data."""
    erased, part = row.deletion["action"] == Action.ERASE, part_of(row)
    state = State.ERASED if erased else State.PURGED
    values: dict[str, Any] = {"state": state, "certificate": number, "deleting_at": None}
    work_values: dict[str, Any] = {"listing": None}
    if erased:
        day = {"interaction_date": day_of(row.interaction_date)}
        values |= {**without_personal_data(row), **NO_FAILURE}
        unindex(connection, [row])
        work_values |= day
        connection.execute(update(dispositions).where(is_part(dispositions, part)).values(**day))
    connection.execute(update(recordings).where(is_part(recordings, part)).values(**values))
    connection.execute(update(work).where(is_part(work, part)).values(**work_values))


def _unfinished(parts: Collection[PartId]) -> ColumnElement[bool]:
    """Match those of the parts whose deletion is not finished."""
    return and_(among(recordings, parts), recordings.c.deleting_at.is_not(None))


def _issue(
    archive: Archive, run_id: str, number: str, rows: Sequence[Row[Any]], gone: Mapping[PartId, certificate.Gone]
) -> set[PartId]:
    """Publish the certificate, or take over an existing one; close the rows it lists, and return their parts."""
    key, content = certificate.certificate_key(number), certificate.compose_certificate(archive, number, rows, gone)
    if not archive.store.put(key, content):
        content = archive.store.read(key)
    listed = certificate.listed_parts(content)
    certified = {part: gone[part] for part in map(part_of, rows) if listed.get(part) == gone[part].tombstone_sha256}
    require_root(archive)
    if certified:
        _settle(archive, run_id, number, sha256(content).hexdigest(), certified)
    return set(certified)


def _settle(archive: Archive, run_id: str, number: str, digest: str, gone: Mapping[PartId, certificate.Gone]) -> None:
    """Close the rows of certified parts: recording, work rows, plan and event."""
    at = archive.clock()
    with archive.catalog.write() as connection:
        for row in connection.execute(select(recordings).where(_unfinished(gone)).with_for_update()).all():
            part, facts = part_of(row), row.deletion
            finish_deletion(connection, row, number)
            mine = and_(is_part(dispositions, part), dispositions.c.run_id.in_({run_id, facts["run"]}))
            why = None if facts["run"] == run_id else f"begun by run {facts['run']}, finished by run {run_id}"
            connection.execute(update(dispositions).where(mine).values(outcome=DONE, why=why, certificate=number))
            files = {gone[part].tombstone: gone[part].tombstone_sha256, certificate.certificate_key(number): digest}
            reasons = {name: facts.get(name) for name in ("plan", "policy", "rule")}
            detail = {"certificate": number, "storedSha256": row.stored_sha256, **reasons, "files": files}
            kind = "erased" if facts["action"] == Action.ERASE else "purged"
            record(connection, kind, part, at=at, run_id=run_id, actor=facts.get("by"), detail=detail)


def _renumber(archive: Archive, parts: Sequence[PartId], number: str | None) -> None:
    """Give parts that a certificate does not list another number, unless another attempt has done so."""
    if not parts:
        return
    fresh = certificate.new_number(archive.clock())
    with archive.catalog.write() as connection:
        for row in connection.execute(select(recordings).where(_unfinished(parts)).with_for_update()).all():
            if row.deletion.get("number") == number:
                values = {"deletion": {**row.deletion, "number": fresh}}
                connection.execute(update(recordings).where(is_part(recordings, part_of(row))).values(**values))
