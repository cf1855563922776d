"""The JSON beside each object: its commit record, and all that a rebuilt catalog needs to know of it.

It is written once, after the object, and holds only what never changes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from typing import Any

from recording_archive.errors import PermanentError
from recording_archive.model import Attributes, Compressed, Fetched, PartId, Party, SourceChecksum, State
from recording_archive.parties.documents import PARTY_COLUMNS, columns, from_json, to_json
from recording_archive.parties.old_sidecars import parties_in
from recording_archive.store import documents
from recording_archive.store.base import Store

FORMAT_VERSION = 1
_CAMEL = {
    "agent_id": "agentId",
    "agent_name": "agentName",
    "queue_id": "queueId",
    "queue_name": "queueName",
    "ani": "ani",
    "dnis": "dnis",
    "direction": "direction",
    "media_type": "mediaType",
    "duration_ms": "durationMs",
    "division": "division",
    "contact_id": "contactId",
}
_CHANGES = frozenset({"state", "verified_at", "verified_ok"})  # columns that go on after the sidecar was written
assert set(_CAMEL) == set(Attributes.__dataclass_fields__)  # noqa: S101 - a field without a name here would be lost


def object_key(organization: str, part: PartId, interaction_date: datetime | None, extension: str) -> str:
    """The key of a part's object; partitioned by interaction date in UTC."""
    day = interaction_date.strftime("year=%Y/month=%m/day=%d") if interaction_date else "undated"
    return f"recordings/org={organization}/{day}/{part}.{extension}.gz"


def beside(key: str) -> str:
    """The key of the sidecar of the object at ``key``: ids hold dots, so both endings are cut from the right."""
    return key.removesuffix(".gz").rpartition(".")[0] + ".json"


def peaks_beside(key: str) -> str:
    """The key of the waveform of the object at ``key``: made when someone first looks at it, and never evidence."""
    return key.removesuffix(".gz").rpartition(".")[0] + ".peaks"


def compose(
    *,
    archive_id: str,
    source: str,
    part: PartId,
    interaction_date: datetime | None,
    listing: Mapping[str, Any],
    fetched: Fetched,
    compressed: Compressed,
    key: str,
    expected_sha256: str | None,
    run_id: str,
    archived_at: datetime,
) -> bytes:
    """The sidecar's bytes."""
    attributes, fields = listing.get("attributes", {}), listing.get("fields", {})
    parties = listing.get("parties")  # None: fetched by a version that did not ask for them
    document = {
        "formatVersion": FORMAT_VERSION,
        "archiveId": archive_id,
        "source": source,
        "interactionId": part.interaction_id,
        "recordingId": part.recording_id,
        "part": part.part,
        "interactionDate": _text(interaction_date),
        "attributes": {camel: attributes.get(name) for name, camel in _CAMEL.items()},
        "parties": to_json(parties_in(fields, attributes)) if parties is None else parties,
        "sourceFields": fields,
        "media": {"mimeType": fetched.format.mime_type, "sha256": compressed.sha256, "bytes": compressed.size_bytes},
        "object": {
            "key": key,
            "sha256": compressed.stored_sha256,
            "bytes": compressed.stored_bytes,
            "compression": "bgzf",
            "members": compressed.members,
        },
        "checksum": {
            "givenBySource": expected_sha256,
            "result": SourceChecksum.MATCHED if expected_sha256 else SourceChecksum.NOT_GIVEN,
        },
        "fetched": {
            "at": _text(fetched.fetched_at),
            "sourceDate": _text(fetched.source_date),
            "sourceHost": fetched.source_host,
        },
        "archivedAt": _text(archived_at),
        "runId": run_id,
        "softwareVersion": _version(),
    }
    return documents.compose(document)


@cache
def _version() -> str:
    """The version of this software; to look it up reads files, so once a process."""
    return version("recording-archive")


def to_recording(content: bytes, key: str, region: str) -> dict[str, Any]:
    """Return the columns of `recordings` as the sidecar at ``key`` has them; raise PermanentError if it cannot.

    ``region`` reads numbers without a country, see `phone_numbers`.
    """
    try:
        document = json.loads(content)
        attributes = {name: document["attributes"].get(camel) for name, camel in _CAMEL.items()}
        archived_at = _moment(document["archivedAt"])
        return {
            "interaction_id": document["interactionId"],
            "recording_id": document["recordingId"],
            "part": document["part"],
            "state": State.ARCHIVED,
            "interaction_date": _moment(document["interactionDate"]),
            **attributes,
            **columns(attributes, _parties(document, attributes), region),
            "key": document["object"]["key"],
            "mime_type": document["media"]["mimeType"],
            "sha256": document["media"]["sha256"],
            "size_bytes": document["media"]["bytes"],
            "stored_sha256": document["object"]["sha256"],
            "stored_bytes": document["object"]["bytes"],
            "sidecar_sha256": sha256(content).hexdigest(),
            "source_checksum": document["checksum"]["result"],
            "archived_at": archived_at,
            "archived_by": document["runId"],
            "verified_at": archived_at,  # the object was read back and compared before it got its name
            "verified_ok": True,
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PermanentError(
            f"The sidecar {key} is damaged ({type(error).__name__}: {error}): restore it from a copy of the archive"
        ) from error


def differing(row: Mapping[str, Any], recorded: Mapping[str, Any]) -> list[str]:
    """List columns in which a catalog row differs from a sidecar's; those that change later are left out.

    Numbers are compared as read in the row's region: the setting may have changed since. Parties that were not read
    yet differ from nothing.
    """
    if row["parties"] is None:
        recorded = {name: value for name, value in recorded.items() if name not in PARTY_COLUMNS}
    elif row["numbers"]:
        region = row["numbers"].get("region", "")
        recorded = {**recorded, **columns(recorded, from_json(recorded["parties"]), region)}
    return [name for name, value in recorded.items() if name not in _CHANGES and row[name] != value]


def _parties(document: Mapping[str, Any], attributes: Mapping[str, Any]) -> Iterable[Party]:
    return from_json(document["parties"]) if "parties" in document else parties_in(document["sourceFields"], attributes)


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def rejected_of(store: Store, keys: Collection[str]) -> Iterator[str]:
    """List the kept bad bytes of these objects and sidecars: they are deleted with their recording."""
    wanted = set(keys)
    return (key for key in store.list("rejected/") if key.split("/", 2)[-1] in wanted)
