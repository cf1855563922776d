"""Certificates: the record of what was deleted, one for each run and up to 1,000 parts, with their hashes.

A certificate has its number from the intents that it is to certify, so an attempt that crashed after publishing it is
taken up with the same one. Where two attempts are alive at once the first to publish a number wins: what its document
does not list gets another number.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, and_, select, tuple_, update

from recording_archive.archive import Archive, require_root
from recording_archive.catalog.database import record
from recording_archive.catalog.rows import NO_FAILURE, is_part, part_of
from recording_archive.catalog.tables import dispositions, plans, recordings, work
from recording_archive.disposition.plan_table import DONE
from recording_archive.model import Attributes, PartId, State
from recording_archive.retention.rules import Action
from recording_archive.store import documents

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Gone:
    """A part of which nothing is left but its tombstone."""

    part: PartId
    tombstone: str
    tombstone_sha256: str


def new_number(at: datetime) -> str:
    """A number for a certificate; a document that has it already is never replaced."""
    return f"C-{at:%Y%m%d}-{secrets.token_hex(3)}"


def key_of(number: str) -> str:
    """The key of a certificate."""
    return f"certificates/{number}.json"


def certify(archive: Archive, run_id: str, gone: Sequence[Gone]) -> None:
    """Give each part its certificate, and close its row: durable document first, then row, plan and event."""
    waiting = {each.part: each for each in gone}
    while waiting:
        rows = _unfinished(archive, waiting)
        waiting = {part_of(row): waiting[part_of(row)] for row in rows}  # the others were finished meanwhile
        groups: dict[tuple[str | None, str], list[Row[Any]]] = {}
        for row in rows:
            groups.setdefault((row.deletion.get("number"), row.deletion["run"]), []).append(row)
        for (number, _), group in groups.items():
            listed = _issue(archive, run_id, number, group, waiting) if number else set()
            _renumber(archive, [part_of(row) for row in group if part_of(row) not in listed], number)
            waiting = {part: each for part, each in waiting.items() if part not in listed}


def finish(connection: Connection, row: Row[Any], number: str) -> None:
    """Close the row of a part that is gone; an erased one loses what is personal."""
    erased = row.deletion["action"] == Action.ERASE
    state = State.ERASED if erased else State.PURGED
    values: dict[str, Any] = {"state": state, "certificate": number, "deleting_at": None}
    in_work: dict[str, Any] = {"listing": None}
    if erased:
        day = {"interaction_date": day_of(row.interaction_date)}
        values |= {**dict.fromkeys(Attributes.__dataclass_fields__), **NO_FAILURE, **day}
        in_work |= day
        connection.execute(update(dispositions).where(is_part(dispositions, part_of(row))).values(**day))
    connection.execute(update(recordings).where(is_part(recordings, part_of(row))).values(**values))
    connection.execute(update(work).where(is_part(work, part_of(row))).values(**in_work))


def day_of(moment: datetime | None) -> datetime | None:
    """The day of a moment, in UTC: all that the archive's keys tell of it."""
    return moment and moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _unfinished(archive: Archive, parts: Mapping[PartId, Gone]) -> Sequence[Row[Any]]:
    with archive.catalog.read() as connection:
        return connection.execute(select(recordings).where(*_among(list(parts)))).all()


def _among(parts: Sequence[PartId]) -> tuple[Any, ...]:
    """Parts whose deletion is not finished; by interaction first, for SQLite searches no index for a tuple."""
    key = tuple_(*(recordings.c[name] for name in PartId._fields))
    interactions = recordings.c.interaction_id.in_({part.interaction_id for part in parts})
    return interactions, key.in_(parts), recordings.c.deleting_at.is_not(None)


def _issue(
    archive: Archive, run_id: str, number: str, rows: Sequence[Row[Any]], gone: Mapping[PartId, Gone]
) -> set[PartId]:
    """Publish the certificate, or take over the one that is there; close the rows it lists, and return those parts."""
    key, content = key_of(number), _compose(archive, number, rows, gone)
    if not archive.store.put(key, content):
        content = archive.store.read(key)
    told = listed(content)
    certified = [row for row in rows if told.get(part_of(row)) == gone[part_of(row)].tombstone_sha256]
    require_root(archive)
    if certified:
        _settle(archive, run_id, number, sha256(content).hexdigest(), [gone[part_of(row)] for row in certified])
    return {part_of(row) for row in certified}


def _settle(archive: Archive, run_id: str, number: str, digest: str, gone: Sequence[Gone]) -> None:
    by_part = {each.part: each for each in gone}
    at = archive.clock()
    with archive.catalog.write() as connection:
        rows = connection.execute(select(recordings).where(*_among(list(by_part))).with_for_update()).all()
        for row in rows:
            each, facts = by_part[part_of(row)], row.deletion
            finish(connection, row, number)
            mine = and_(is_part(dispositions, each.part), dispositions.c.run_id.in_({run_id, facts["run"]}))
            why = None if facts["run"] == run_id else f"begun by run {facts['run']}, finished by run {run_id}"
            connection.execute(update(dispositions).where(mine).values(outcome=DONE, why=why, certificate=number))
            files = {each.tombstone: each.tombstone_sha256, key_of(number): digest}
            told = {name: facts.get(name) for name in ("plan", "policy", "rule")}
            detail = {"certificate": number, "storedSha256": row.stored_sha256, **told, "files": files}
            kind = "erased" if facts["action"] == Action.ERASE else "purged"
            record(connection, kind, each.part, at=at, run_id=run_id, actor=facts.get("by"), detail=detail)


def _renumber(archive: Archive, parts: Sequence[PartId], number: str | None) -> None:
    """Give parts that a certificate does not list the number of another, unless someone else has done so."""
    fresh = new_number(archive.clock())
    if not parts:
        return
    with archive.catalog.write() as connection:
        for row in connection.execute(select(recordings).where(*_among(parts)).with_for_update()).all():
            if row.deletion.get("number") == number:
                values = {"deletion": {**row.deletion, "number": fresh}}
                connection.execute(update(recordings).where(is_part(recordings, part_of(row))).values(**values))


def _compose(archive: Archive, number: str, rows: Sequence[Row[Any]], gone: Mapping[PartId, Gone]) -> bytes:
    facts = rows[0].deletion  # rows of one number are of one run
    with archive.catalog.read() as connection:
        reason = connection.execute(select(plans.c.reason).where(plans.c.run_id == facts["run"])).scalar_one_or_none()
    told = {name: facts.get(name) for name in ("run", "plan", "policy", "by", "approvedBy", "approvedAt")}
    return documents.compose(
        {
            "formatVersion": FORMAT_VERSION,
            "archiveId": archive.id,
            "certificate": number,
            "action": facts["action"],
            "issuedAt": archive.clock().isoformat(),
            "reason": reason,
            **told,
            "parts": [_part(row, gone[part_of(row)]) for row in rows],
        }
    )


def _part(row: Row[Any], gone: Gone) -> dict[str, Any]:
    facts = row.deletion
    return {
        "interactionId": row.interaction_id,
        "recordingId": row.recording_id,
        "part": row.part,
        "key": row.key,
        "sha256": row.sha256,
        "storedSha256": row.stored_sha256,
        "sidecarSha256": row.sidecar_sha256,
        "storedBytes": row.stored_bytes,
        "rule": facts.get("rule"),
        "due": facts.get("due"),
        "deletedAt": row.deleting_at.isoformat(),
        "tombstone": {"key": gone.tombstone, "sha256": gone.tombstone_sha256},
    }


def listed(content: bytes) -> dict[PartId, str]:
    """The parts that a certificate lists, with the hashes of their tombstones; none when it is damaged."""
    try:
        parts = json.loads(content)["parts"]
        names = [PartId(each["interactionId"], each["recordingId"], each["part"]) for each in parts]
        return dict(zip(names, (each["tombstone"]["sha256"] for each in parts), strict=True))
    except (ValueError, KeyError, TypeError):
        return {}
