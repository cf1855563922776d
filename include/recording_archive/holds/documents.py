"""The two documents of a hold's life: what is held, and that it is released. Both are written once."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from recording_archive.errors import ConfigurationError, PermanentError
from recording_archive.holds.criteria import Criteria, checked, is_storable
from recording_archive.store import documents

FORMAT_VERSION = 1
FOLDER = "holds/"

_ID = re.compile(r"H-\d{8}-[0-9a-f]{6}")
_KEY = re.compile(rf"{FOLDER}({_ID.pattern})(\.released)?\.json")


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold; it holds until ``released_at`` is set. ``owner`` is who made it."""

    id: str
    matter: str
    reason: str
    owner: str
    created_at: datetime
    criteria: Criteria
    released_at: datetime | None
    released_by: str | None
    release_reason: str | None


def key_of(hold_id: str) -> str:
    """The key of the document that makes a hold."""
    return f"{FOLDER}{hold_id}.json"


def release_key_of(hold_id: str) -> str:
    """The key of the document that ends it."""
    return f"{FOLDER}{hold_id}.released.json"


def read_key(key: str) -> tuple[str, bool]:
    """Read the hold's id from a key, and if the key is a release; raise PermanentError for any other file."""
    if found := _KEY.fullmatch(key):
        return found[1], found[2] is not None
    raise PermanentError(f"{key} is no document of a hold: find out who put it there")


def is_hold_id(text: str) -> bool:
    """Tell if a text can be the id of a hold."""
    return _ID.fullmatch(text) is not None


def compose(archive_id: str, hold: Hold) -> bytes:
    """The document that makes a hold."""
    return documents.compose(
        {
            **_heading(archive_id, hold),
            "matter": hold.matter,
            "reason": hold.reason,
            "owner": hold.owner,
            "createdAt": hold.created_at.isoformat(),
            "criteria": hold.criteria.to_json(),
        }
    )


def compose_release(archive_id: str, hold: Hold) -> bytes:
    """The document that ends a hold, of its last three facts."""
    facts = {"releasedAt": hold.released_at and hold.released_at.isoformat(), "releasedBy": hold.released_by}
    return documents.compose({**_heading(archive_id, hold), **facts, "reason": hold.release_reason})


def parse(content: bytes, hold_id: str, archive_id: str) -> Hold:
    """The hold that a document makes; raise PermanentError when it is damaged, misplaced, or of another archive."""
    try:
        document = _read(content, key_of(hold_id), hold_id, archive_id)
        criteria = Criteria.from_json(document["criteria"])
        matter, reason, owner = (_text(document[name]) for name in ("matter", "reason", "owner"))
        return Hold(hold_id, matter, reason, owner, _moment(document["createdAt"]), checked(criteria), None, None, None)
    except (ValueError, KeyError, TypeError, AttributeError, ConfigurationError) as error:
        raise _damaged(key_of(hold_id), error) from error


def parse_release(content: bytes, hold: Hold, archive_id: str) -> Hold:
    """The hold as the document of its release ends it; raises as `parse` does."""
    try:
        document = _read(content, release_key_of(hold.id), hold.id, archive_id)
        by, why = _text(document["releasedBy"]), _text(document["reason"])
        return replace(hold, released_at=_moment(document["releasedAt"]), released_by=by, release_reason=why)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(release_key_of(hold.id), error) from error


def _heading(archive_id: str, hold: Hold) -> dict[str, Any]:
    return {"formatVersion": FORMAT_VERSION, "archiveId": archive_id, "holdId": hold.id}


def _read(content: bytes, key: str, hold_id: str, archive_id: str) -> Mapping[str, Any]:
    document: dict[str, Any] = json.loads(content)
    if document["formatVersion"] != FORMAT_VERSION:
        raise PermanentError(
            f"{key} has format version {document['formatVersion']}: a release that knows it can read it"
        )
    if document["holdId"] != hold_id:
        raise PermanentError(f"{key} names hold {document['holdId']}: it was moved or renamed; put it back")
    if document["archiveId"] != archive_id:
        raise PermanentError(f"{key} belongs to archive {document['archiveId']}: find out who put it into this one")
    return document


def _text(value: Any) -> str:
    if not isinstance(value, str) or not is_storable(value):
        raise TypeError("a text is not one")
    return value


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return moment.astimezone(UTC)


def _damaged(key: str, error: Exception) -> PermanentError:
    return PermanentError(f"{key} is damaged ({type(error).__name__}: {error}): restore it from a copy of the archive")
