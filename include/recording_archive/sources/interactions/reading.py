"""Replies of the interactions API: a page is read whole or not at all.

An entry that cannot be named makes the page malformed; one that can be named but not archived becomes a Listing with a
``defect``, so that nothing the source lists is lost.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from recording_archive.model import Attributes, Listing, PartId, Party, is_safe_id
from recording_archive.parties.interaction import PARTICIPANTS, parties_of
from recording_archive.parties.main import main_of, others
from recording_archive.sources.checksums import is_given, read_sha256
from recording_archive.sources.replies import MalformedReplyError, as_object
from recording_archive.sources.texts import harmless, plain

__all__ = ["InteractionsPage", "read_entry", "read_page"]

log = logging.getLogger(__name__)

DURATION_MAX_MS = 2**63 - 1  # what a database column holds
_MORE = {"direction": "direction", "media_type": "mediaType"}


@dataclass(frozen=True, slots=True)
class InteractionsPage:
    """One page of the list, by id; ``next_token`` is None on the last one."""

    entries: Mapping[str, Listing]
    next_token: str | None


def read_page(reply: Any) -> InteractionsPage:
    """Check a page by type. An absent next token is as null: the end."""
    page = as_object(reply)
    results, token = page.get("results"), page.get("nextPageToken")
    if not isinstance(results, list):
        raise MalformedReplyError("results is missing or no list")
    if token is not None and not isinstance(token, str):
        raise MalformedReplyError("nextPageToken is neither text nor null")
    entries: dict[str, Listing] = {}
    for index, entry in enumerate(results):
        listing = read_entry(entry, f"results[{index}]")
        entries.setdefault(listing.part_id.interaction_id, listing)
    return InteractionsPage(entries, token or None)


def read_entry(entry: Any, where: str, asked: str | None = None) -> Listing:
    """One interaction, whatever is wrong with it, provided it says which one it is."""
    if not isinstance(entry, dict):
        raise MalformedReplyError(f"{where} is no object")
    name = entry.get("id")
    if not isinstance(name, str) or not name or (asked is not None and name != asked):
        raise MalformedReplyError(f"{where}.id is missing, no text, or not the one asked for")
    name = plain(name)
    fields = harmless({key: value for key, value in entry.items() if key != "mediaUrl"})
    media_url, sha256 = _media_url(entry), read_sha256(fields.get("checksum"))
    attributes, parties = _who(name, fields)
    return Listing(
        part_id=PartId(name, name),
        interaction_date=_date(name, fields.get("interactionDate")),
        media_url=media_url,
        expected_sha256=sha256,
        attributes=attributes,
        parties=parties,
        source_fields=fields,
        defect=_defect(name, media_url, sha256, fields.get("checksum")),
    )


def _defect(name: str, media_url: str | None, sha256: str | None, checksum: object) -> str | None:
    found = []
    if not is_safe_id(name):
        found.append(f"id {name!r:.120} cannot be part of a file name")
    if media_url is None:
        found.append("mediaUrl is missing or no text")
    if sha256 is None and is_given(checksum):
        found.append(f"checksum {checksum!r:.80} is not a SHA-256")
    return "; ".join(found) or None


def _media_url(entry: Mapping[str, Any]) -> str | None:
    url = entry.get("mediaUrl")
    return url if isinstance(url, str) and url and url == plain(url) else None


def _date(name: str, text: object) -> datetime | None:
    """ISO 8601 with a zone as UTC; None, and a warning, for anything else that is there: then the part is undated."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
        if moment is not None and moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    log.warning("%.120r: interactionDate is not ISO 8601 with a zone; kept as undated", name)
    return None


def _who(name: str, fields: Mapping[str, Any]) -> tuple[Attributes, tuple[Party, ...]]:
    """Read the fields people search by, where the type is right, and who took part beside those they name.

    The wrong ones stay in ``source_fields``.
    """
    given = fields.get(PARTICIPANTS)
    if given is not None and not (isinstance(given, list) and all(isinstance(each, dict) for each in given)):
        log.warning("%.120r: participants is no list of objects; who is named wrongly there cannot be found", name)
    parties = parties_of(fields)
    main = main_of(parties)
    more = {ours: value for ours, key in _MORE.items() if isinstance(value := fields.get(key), str)}
    duration = fields.get("durationMs")
    known = isinstance(duration, int) and not isinstance(duration, bool) and 0 <= duration <= DURATION_MAX_MS
    return Attributes(**main, **more, duration_ms=duration if known else None), others(parties, main)
