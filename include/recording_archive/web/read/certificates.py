"""Certificates of deletion, as stored in the archive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recording_archive.archive import Archive
from recording_archive.disposition.certificate import certificate_key
from recording_archive.web.read.stored_json import read_json


def read_certificate(archive: Archive, number: str) -> tuple[dict[str, Any] | None, str | None]:
    """The certificate of what was deleted, as it lies in the archive; where it cannot be read, why."""
    return read_json(archive.store, certificate_key(number))


def certificate_of(archive: Archive, row: Mapping[str, Any]) -> tuple[dict[str, Any] | None, str | None]:
    """The certificate of one part, which lists other parts too: without those."""
    if row["certificate"] is None:
        return None, None
    document, problem = read_certificate(archive, row["certificate"])
    if document and isinstance(document.get("parts"), list):
        same = {"interactionId": row["interaction_id"], "recordingId": row["recording_id"], "part": row["part"]}
        mine = [each for each in document["parts"] if isinstance(each, dict) and same.items() <= each.items()]
        document = document | {"parts": mine}
    return document, problem
