"""What an archive holds, and one row, document or file of it changed by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic.alias_generators import to_camel
from sqlalchemy import Row, select, update

from recording_archive.archive import Archive
from recording_archive.catalog.events import record
from recording_archive.catalog.party_index import reindex
from recording_archive.catalog.rows import is_part, part_key, part_of
from recording_archive.catalog.tables import events, recordings
from recording_archive.model import Attributes
from recording_archive.parties.documents import NAMES, columns, from_json
from recording_archive.store import sidecar


def all_rows(archive: Archive) -> list[Row[Any]]:
    """All recordings of the catalog, in the order of their ids."""
    with archive.catalog.read() as connection:
        return list(connection.execute(select(recordings).order_by(*part_key(recordings))))


def rows(archive: Archive) -> dict[str, Row[Any]]:
    """The catalog's recordings by interaction."""
    return {row.interaction_id: row for row in all_rows(archive)}


def row_of(archive: Archive, interaction_id: str) -> Row[Any]:
    """The one row of an interaction."""
    return rows(archive)[interaction_id]


def ids(archive: Archive) -> list[str]:
    """The interactions of the archive, in order."""
    return sorted(rows(archive))


def change(archive: Archive, interaction_id: str, **values: Any) -> None:
    """Set columns of an interaction's rows; it is found by the parties that it has then."""
    with archive.catalog.write() as connection:
        mine = recordings.c.interaction_id == interaction_id
        for row in connection.execute(select(recordings).where(mine)).all():
            new = {**row._asdict(), **values}
            if new["parties"] is None:
                new["numbers"] = None
            elif not {*NAMES, "parties"}.isdisjoint(values):
                new |= columns(new, from_json(new["parties"]), archive.settings.phone_region)
            reindex(connection, [(row, new)])
            connection.execute(update(recordings).where(is_part(recordings, part_of(row))).values(**new))


def amend(archive: Archive, interaction_id: str, **values: Any) -> None:
    """Set columns of an interaction's row, and make sidecar and event agree, as if it had been archived so."""
    change(archive, interaction_id, **values)
    row = row_of(archive, interaction_id)
    key = sidecar.beside(row.key)
    document = json.loads(archive.store.read(key))
    document["interactionDate"] = row.interaction_date and row.interaction_date.isoformat()
    document["parties"] = row.parties
    document["attributes"] |= {to_camel(name): getattr(row, name) for name in Attributes.__dataclass_fields__}
    content = json.dumps(document).encode()
    overwrite(archive.settings.root / key, content)
    digest = sha256(content).hexdigest()
    change(archive, interaction_id, sidecar_sha256=digest)
    detail = {
        **events_of(archive, "archived", interaction_id)[-1].detail,
        "sidecar_sha256": digest,
        "files": {key: digest},
    }
    with archive.catalog.write() as connection:
        record(connection, "repaired", part_of(row), at=archive.clock(), detail=detail)


def events_of(archive: Archive, kind: str, interaction_id: str | None = None) -> list[Row[Any]]:
    """The events of a kind, oldest first."""
    mine = events.c.interaction_id == interaction_id if interaction_id else True
    with archive.catalog.read() as connection:
        return list(connection.execute(select(events).where(events.c.kind == kind, mine).order_by(events.c.id)))


def details_of(archive: Archive, kind: str, interaction_id: str | None = None) -> list[dict[str, Any]]:
    """The details of all events of a kind, oldest first."""
    return [event.detail for event in events_of(archive, kind, interaction_id)]


def documents(archive: Archive, folder: str) -> dict[str, dict[str, Any]]:
    """The documents below a folder of the archive, by key."""
    return {key: json.loads(archive.store.read(key)) for key in archive.store.list(f"{folder}/")}


def files_of(archive: Archive, interaction_id: str) -> list[str]:
    """The files of an interaction's recordings, relative to the root."""
    root = archive.settings.root
    return sorted(str(path.relative_to(root)) for path in (root / "recordings").rglob(f"{interaction_id}~*"))


def overwrite(path: Path, content: bytes) -> None:
    """Change an archived file in place, as a broken disk would: it is read-only for everybody else."""
    path.chmod(0o640)
    path.write_bytes(content)


def damage(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Change the content of a file in place."""
    overwrite(path, change(path.read_bytes()))


def flip(place: int, bit: int = 0) -> Callable[[bytes], bytes]:
    """Turn one bit of the byte at ``place``."""
    return lambda content: content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :]


def first_id(archive: Archive) -> str:
    """Return the id of some interaction of the archive."""
    with archive.catalog.read() as connection:
        return str(connection.execute(select(recordings.c.interaction_id).limit(1)).scalar_one())
