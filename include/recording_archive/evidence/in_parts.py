"""A pack in parts, for what is too much for one: each part is a bag of its own, made apart and taken up after a crash.

    packs/{pack}/0001.todo.json     the recordings of a part, as they were chosen
    packs/{pack}/request.json       who asked for what, and why; written when all parts are chosen
    packs/{pack}/0001.zip           the part: it gets its name when it is whole and was read back
    packs/{pack}/0001.json          its hash, size and fingerprint
    packs/{pack}/contents.json      all of these, when every part is there: the pack can be fetched

They lie in the archive's store, where workers and API server reach them, and are no part of the archive: the ledger
does not vouch for them, and they are removed when their days are over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from threading import Event
from typing import Any, BinaryIO

from recording_archive.archive import Archive
from recording_archive.errors import ConfigurationError, FixityError, PermanentError, TransientError
from recording_archive.evidence.pack import Group, Pack
from recording_archive.evidence.request import Asked
from recording_archive.evidence.selection import Selection, shares
from recording_archive.model import PartId
from recording_archive.store import documents

PREFIX = "packs/"
MOST_CALLS = 1000
"""Recordings of one part: a reviewer's machine opens it, and what a killed attempt loses is small."""

MOST_PARTS = 1000  # Airflow maps a task over so many
_PIECE = 2**20


@dataclass(frozen=True, slots=True)
class Planned:
    """A pack that was chosen: its id, and how many parts it has."""

    pack: str
    parts: int


def id_of(archive: Archive, run_id: str) -> str:
    """Return the id of the pack that a run makes: every attempt of it has the same."""
    return f"E-{sha256(f'{archive.id} {run_id}'.encode()).hexdigest()[:12]}"


def key_of(pack: str, name: str) -> str:
    """Return the key of a file of a pack."""
    return f"{PREFIX}{pack}/{name}"


def plan_parts(archive: Archive, asked: Asked, actor: str, run_id: str) -> Planned:
    """Choose what goes into which part, once: a second attempt finds what the first one chose."""
    pack = id_of(archive, run_id)
    if archive.store.size(key_of(pack, "request.json")) is not None:
        return Planned(pack, int(_read(archive, pack, "request.json")["parts"]))
    for key in list(archive.store.list(key_of(pack, ""))):  # of an attempt that did not end
        archive.store.remove(key)
    count = 0
    for share in shares(archive, asked, most_calls=MOST_CALLS, most_bytes=archive.settings.evidence_part_bytes):
        count += 1
        if count > MOST_PARTS:
            raise ConfigurationError(
                f"More than {MOST_PARTS:,} parts: ask for fewer days, or raise RECORDING_ARCHIVE_EVIDENCE_PART_BYTES"
            )
        _put(archive, pack, f"{count:04d}.todo.json", _to_json(share))
    at = archive.clock()
    document = {"formatVersion": 1, "pack": pack, "parts": count, "runId": run_id, "askedBy": actor}
    document |= {"reason": asked.reason, "asked": asked.given, "createdAt": at.isoformat()}
    document |= {"expiresAt": (at + timedelta(days=archive.settings.evidence_days)).isoformat()}
    _put(archive, pack, "request.json", document)
    return Planned(pack, count)


def make_part(archive: Archive, pack: str, number: int, stop: Event) -> dict[str, Any]:
    """Make a part, unless it is there; return what is known of it. Raises TransientError when ``stop`` is set."""
    zip_key, name = key_of(pack, f"{number:04d}.zip"), f"{number:04d}.json"
    if archive.store.size(key_of(pack, name)) is not None:
        document = _read(archive, pack, name)
        if archive.store.size(zip_key) == document["bytes"]:
            return document
        raise PermanentError(f"{zip_key} is not what was made: remove the folder {key_of(pack, '')}, and run it again")
    archive.store.remove(zip_key)  # of an attempt that ended before it told
    request = _read(archive, pack, "request.json")
    asked = Asked(request["reason"], run=request["runId"], given=request["asked"])
    share = _selection(_read(archive, pack, f"{number:04d}.todo.json"))
    group = Group(pack, number, request["parts"])
    made = Pack(archive, asked, request["askedBy"], share, f"{pack}-{number:04d}", group=group)
    with archive.store.begin(zip_key) as draft:
        digest = _fill(made, draft.file, stop)
        draft.seal()
        _compare(draft.file, zip_key, digest)
        draft.publish()
    archive.store.sync([zip_key])
    document = {"number": number, "file": f"{made.name}.zip", "bytes": made.size_bytes, "sha256": digest}
    document |= {"fingerprint": made.fingerprint, "calls": made.included, "notIncluded": made.absent}
    document["absent"] = [list(part) for part in made.left_out]
    _put(archive, pack, name, document)
    return document


def finish(archive: Archive, pack: str) -> dict[str, Any]:
    """Put the parts together, and offer the pack; raise PermanentError that names a part that is not there."""
    request = _read(archive, pack, "request.json")
    parts = [_finished(archive, pack, number) for number in range(1, request["parts"] + 1)]
    sums = {name: sum(part[name] for part in parts) for name in ("calls", "notIncluded", "bytes")}
    document = {**request, **sums, "readyAt": archive.clock().isoformat(), "parts": parts}
    if archive.store.size(key_of(pack, "contents.json")) is None:
        _put(archive, pack, "contents.json", document)
    return _read(archive, pack, "contents.json")


def _finished(archive: Archive, pack: str, number: int) -> dict[str, Any]:
    name = f"{number:04d}.json"
    if archive.store.size(key_of(pack, name)) is None:
        raise PermanentError(f"Part {number} of {pack} was not made: clear its task, which then makes it alone")
    return _read(archive, pack, name)


def _fill(made: Pack, file: BinaryIO, stop: Event) -> str:
    digest = sha256()
    with closing(made.stream()) as pieces:  # type: ignore[type-var]  # it is a generator
        for piece in pieces:
            if stop.is_set():
                raise TransientError("stopped by a signal; the next attempt makes this part again, and no other")
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


def _compare(file: BinaryIO, key: str, expected: str) -> None:
    digest = sha256()
    file.seek(0)
    while piece := file.read(_PIECE):
        digest.update(piece)
    if digest.hexdigest() != expected:
        raise FixityError(key, expected=expected, found=digest.hexdigest())


def _to_json(share: Selection) -> dict[str, Any]:
    days = [day.isoformat() for day in share.days] if share.days else None
    return {"recordings": [list(part) for part in share.parts], "unknown": share.unknown, "days": days}


def _selection(document: Mapping[str, Any]) -> Selection:
    first, last = map(date.fromisoformat, document["days"]) if document["days"] else (None, None)
    parts = tuple(PartId(*each) for each in document["recordings"])
    return Selection(parts, document["unknown"], (first, last) if first and last else None)


def _put(archive: Archive, pack: str, name: str, document: Mapping[str, Any]) -> None:
    documents.publish(archive.store, key_of(pack, name), documents.compose(document))


def _read(archive: Archive, pack: str, name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(archive.store.read(key_of(pack, name)))
    return document
