"""Harms to a recording that keep it from being planned, quarantined or purged, and the reason that is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import insert

from recording_archive import holds
from recording_archive.archive import Archive
from recording_archive.catalog.tables import work
from recording_archive.holds import Criteria
from support.contents import change, row_of
from support.retention_run import EXPIRED, hold

Harm = Callable[[Archive, str], Any]


def possibly_hold(archive: Archive, interaction_id: str) -> str:
    """Let a hold ask for an attribute that the recording lacks."""
    change(archive, interaction_id, agent_id=None, agent_name=None)
    made, _ = holds.create(archive, matter="M", reason="R", criteria=Criteria(agents=("nobody at all",)), actor="ann")
    return made.id


def outdate_hash(archive: Archive, name: str) -> None:
    change(archive, name, stored_sha256="0" * 64)


def make_young(archive: Archive, name: str) -> None:
    change(archive, name, interaction_date=EXPIRED)


def undate(archive: Archive, name: str) -> None:
    change(archive, name, interaction_date=None)


def condemn(archive: Archive, name: str) -> None:
    change(archive, name, verified_ok=False)


def never_verify(archive: Archive, name: str) -> None:
    change(archive, name, verified_ok=None)


def begin_work(archive: Archive, name: str) -> None:
    with archive.catalog.write() as connection:
        values = {"run_id": "scheduled__again", "interaction_id": name, "recording_id": name, "part": 0}
        connection.execute(insert(work).values(**values, carried_over=False, staged=True, expected_bytes=1))


def shorten(archive: Archive, name: str) -> None:
    path = archive.settings.root / row_of(archive, name).key
    path.chmod(0o640)
    path.write_bytes(path.read_bytes()[:-1])


def lose(archive: Archive, name: str) -> None:
    (archive.settings.root / row_of(archive, name).key).unlink()


HARMS: list[tuple[Harm, str]] = [
    (hold, "held by H-"),
    (possibly_hold, "possibly_held by H-"),
    (outdate_hash, "its stored object has the SHA-256 "),
    (make_young, "too_young"),
    (undate, "undated"),
    (condemn, "unverified"),
    (never_verify, "unverified"),
]
AT_PLAN = [(harm, why) for harm, why in HARMS if harm is not outdate_hash]  # it is compared with that of the plan
AT_PURGE: list[tuple[Harm, str]] = [
    *HARMS,
    (begin_work, "run scheduled__again of archive_recordings is at work on it"),
    (shorten, "verify it"),
    (lose, "its object is gone"),
]
MOMENTS = [
    [(moment, harm) for harm, _ in harms]
    for moment, harms in (("plan", AT_PLAN), ("quarantine", HARMS), ("purge", AT_PURGE))
]
