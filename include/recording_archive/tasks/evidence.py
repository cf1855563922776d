"""The tasks of `export_evidence`: choose the parts, make each, offer the pack."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from recording_archive.evidence import in_parts, ready
from recording_archive.evidence.request import read_request
from recording_archive.settings import read_settings
from recording_archive.tasks.session import stoppable, task_archive

log = logging.getLogger(__name__)


def plan_evidence(*, run_id: str, conf: Mapping[str, Any] | None, asked_by: str | None) -> list[dict[str, Any]]:
    """Choose what goes into which part; return one mapping per part for the mapped tasks. Removes expired packs."""
    settings = read_settings()
    with task_archive(settings) as archive:
        ready.remove_expired(archive)
        asked = read_request(conf or {}, settings)
        planned = in_parts.plan_parts(archive, asked, asked_by or f"run {run_id}", run_id)
    log.info("pack %s: %d parts", planned.pack, planned.parts)
    return [{"number": number, "of": planned.parts} for number in range(1, planned.parts + 1)]


def make_evidence_part(run_id: str, number: int) -> int:
    """Make a part, unless it is there; return how many recordings it holds."""
    with task_archive(read_settings()) as archive, stoppable() as (stop, _):
        part = in_parts.make_part(archive, in_parts.id_of(archive, run_id), number, stop)
    log.info(
        "%s: %d recordings, SHA-256 %s, fingerprint %s", *map(part.get, ("file", "calls", "sha256", "fingerprint"))
    )
    return int(part["calls"])


def offer_evidence(run_id: str) -> dict[str, Any]:
    """Offer the pack; return its id and figures, which tell nothing of a recording."""
    with task_archive(read_settings()) as archive:
        pack = in_parts.finish(archive, in_parts.id_of(archive, run_id))
    names = ("pack", "calls", "notIncluded", "bytes", "expiresAt")
    log.info("pack %s can be fetched until %s", pack["pack"], pack["expiresAt"])
    return {name: pack[name] for name in names} | {"parts": len(pack["parts"])}
