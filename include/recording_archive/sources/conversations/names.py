"""Names of agents, queues, wrap-up codes and divisions, which details lack: looked up once and kept for a day.

They are kept in a file, too, so that the tasks of a run on one host ask once together. It holds names and ids alone.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from recording_archive.catalog.rows import chunked
from recording_archive.errors import AccessError
from recording_archive.sources.client import ApiClient
from recording_archive.sources.conversations.reading import entries, text
from recording_archive.sources.replies import NotFoundError, RejectedError, as_object

__all__ = ["DIVISIONS", "QUEUES", "USERS", "WRAP_UP_CODES", "Names"]

log = logging.getLogger(__name__)

USERS, QUEUES, WRAP_UP_CODES, DIVISIONS = "users", "queues", "wrapUpCodes", "divisions"
IDS_PER_REQUEST = 100
KEPT_FOR = timedelta(days=1)
_PATHS = {
    USERS: "/api/v2/users?state=any",  # who left is not listed by default, and their recordings stay
    QUEUES: "/api/v2/routing/queues?",
    WRAP_UP_CODES: "/api/v2/routing/wrapupcodes?",
    DIVISIONS: "/api/v2/authorization/divisions?",
}

Known = dict[str, dict[str, str | None]]


class Names:
    """Id → name, by kind. An id without a name is remembered as such: it may be a built-in word, or gone for good."""

    def __init__(self, client: ApiClient, file: Path | None, now: Callable[[], datetime]) -> None:
        self._client, self._file, self._now = client, file, now
        self._lock = threading.Lock()
        self._known: Known = _read(file, now()) if file else {}
        self._refused: set[str] = set()

    def load(self, wanted: Mapping[str, Iterable[str]]) -> None:
        """Look up what is not known yet, a hundred ids to a request."""
        with self._lock:
            asked = False
            for kind, ids in wanted.items():
                known = self._known.setdefault(kind, {})
                new = [name for name in dict.fromkeys(ids) if name not in known]
                for chunk in chunked(new, IDS_PER_REQUEST):
                    asked = self._ask(kind, chunk) or asked
            if asked and self._file:
                _write(self._file, self._known, self._now())

    def get(self, kind: str, name: str | None) -> str | None:
        """The name that belongs to an id."""
        return self._known.get(kind, {}).get(name or "")

    def _ask(self, kind: str, ids: list[str]) -> bool:
        if kind in self._refused:
            return False
        named = ",".join(quote(each, safe="") for each in ids)
        path = f"{_PATHS[kind]}&id={named}&pageSize={IDS_PER_REQUEST}".replace("?&", "?")
        try:
            found = self._client.get(path, _read_names)
        except (AccessError, NotFoundError, RejectedError) as error:
            self._refused.add(kind)
            log.warning("Names of %s cannot be looked up, ids are kept without them: %s", kind, error)
            return False
        self._known[kind] |= {each: found.get(each) for each in ids}
        return True


def _read_names(reply: Any) -> dict[str, str]:
    pairs = ((text(each, "id"), text(each, "name")) for each in entries(as_object(reply), "entities"))
    return {name: shown for name, shown in pairs if name and shown}


def _read(file: Path, now: datetime) -> Known:
    """Read the names that a task wrote within the last day; none where the file cannot be read."""
    try:
        kept = json.loads(file.read_text())
        if now - datetime.fromisoformat(kept["at"]) < KEPT_FOR:
            known: Known = kept["names"]
            return known
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {}


def _write(file: Path, known: Known, now: datetime) -> None:
    """Replace the file as a whole; two tasks at once leave one of the two."""
    began = _began(file, now)
    partial = file.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.touch(mode=0o600)
        partial.write_text(json.dumps({"at": began.isoformat(), "names": known}))
        partial.replace(file)
    except OSError as error:
        log.warning("Names cannot be kept in %s (%s): each task looks them up", file, error.strerror)


def _began(file: Path, now: datetime) -> datetime:
    """Time at which the file's oldest names were looked up, so that none is kept for longer than a day."""
    try:
        began = datetime.fromisoformat(json.loads(file.read_text())["at"])
    except (OSError, ValueError, KeyError, TypeError):
        return now
    return began if now - began < KEPT_FOR else now
