"""The request of a run of `enforce_retention`: dispose of what is due, or erase."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from recording_archive.disposition.erasure_subject import Subject
from recording_archive.errors import ConfigurationError
from recording_archive.params import read_moment
from recording_archive.spelling.ids import split_each

_ERASE = {"eraseNumbers": "numbers", "eraseContacts": "contacts", "eraseIds": "ids"}
PARAMS = ("dry_run", "as_of", "max_delete_count", "max_delete_bytes", *_ERASE, "eraseReason")


@dataclass(frozen=True, slots=True)
class RetentionRequest:
    """With a ``subject`` the run erases, and nothing else; ``as_of`` is None for the run's own time."""

    dry_run: bool = False
    as_of: datetime | None = None
    max_count: int | None = None
    max_bytes: int | None = None
    subject: Subject | None = None
    reason: str = ""


def read_retention_request(conf: Mapping[str, Any], *, zone: ZoneInfo) -> RetentionRequest:
    """Read the parameters of a run; raise ConfigurationError that names a wrong one."""
    if unknown := sorted(set(conf) - set(PARAMS)):
        raise ConfigurationError(f"Unknown parameter {', '.join(unknown)}: this DAG takes {', '.join(PARAMS)}")
    dry_run = conf.get("dry_run")
    if dry_run not in (None, True, False):
        raise ConfigurationError(f"dry_run: {dry_run!r} is neither true nor false")
    lists = {name: _texts(param, conf.get(param)) for param, name in _ERASE.items()}
    lists["ids"] = tuple(split_each(lists["ids"]))
    subject, reason = Subject(**lists) if any(lists.values()) else None, conf.get("eraseReason") or ""
    if bool(subject) != bool(reason):
        raise ConfigurationError(f"eraseReason goes with {', '.join(_ERASE)}: give both, or neither")
    text = conf.get("as_of")
    return RetentionRequest(
        dry_run=bool(dry_run),
        as_of=read_moment("as_of", text, zone, end=False) if text else None,
        max_count=_count("max_delete_count", conf),
        max_bytes=_count("max_delete_bytes", conf),
        subject=subject,
        reason=str(reason),
    )


def _texts(name: str, given: Any) -> tuple[str, ...]:
    entries = [] if given is None else given.split(",") if isinstance(given, str) else given
    if not isinstance(entries, list | tuple) or not all(isinstance(entry, str) for entry in entries):
        raise ConfigurationError(f"{name}: give a text, a comma list or a JSON array of texts")
    return tuple(part.strip() for entry in entries for part in entry.split(",") if part.strip())


def _count(name: str, conf: Mapping[str, Any]) -> int | None:
    given = conf.get(name)
    if given is None:
        return None
    if not isinstance(given, int) or isinstance(given, bool) or given < 0:
        raise ConfigurationError(f"{name}: {given!r} is no whole number from 0 on")
    return given
