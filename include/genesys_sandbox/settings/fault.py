"""A fault as a value: what goes wrong, at which endpoint, for which recordings, how often; and presets by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_API = ("token", "query", "renew")
#: The endpoints of the platform API.
PLATFORM = ("details", "jobs", "batch", "poll", "playback", "metadata", "restore", "inventory", "orphans", "directory")
_ANYWHERE = (*_API, *PLATFORM, "media")
_LISTED: tuple[tuple[tuple[str, ...], str], ...] = (
    (_ANYWHERE, "status reset reset_midway cut hang slow trickle empty html_200 xml_200 json_200"),
    (_ANYWHERE, "wrong_length no_length chunked gzip_bomb endless redirect redirect_loop"),
    ((*_API, *PLATFORM), "malformed_json wrong_types missing_fields set_fields unauthorized forbidden"),
    (("query", "renew", *PLATFORM), "token_expired not_found accepted"),
    (PLATFORM, "unreadable"),
    (("poll",), "unfinished"),
    (("query",), "duplicate_entries reordered repeat_page_token empty_page_with_token"),
    (("token",), "scope"),
    (("media",), "wrong_bytes overlap_206 ignore_range range_416 etag_changes weak_etag no_etag expired"),
)
#: Every kind of fault, with the endpoints that know it.
KINDS: Mapping[str, tuple[str, ...]] = {kind: where for where, kinds in _LISTED for kind in kinds.split()}
#: These change a header or a field, so they come on top of another fault instead of taking its turn.
MODIFIERS = frozenset(
    {"etag_changes", "weak_etag", "no_etag", "wrong_types", "missing_fields", "set_fields", "unreadable", "unfinished"}
)
#: These wait for a request with a Range.
RANGED = frozenset({"overlap_206", "ignore_range", "range_416"})
#: JSON that decoders choke on, by the ``name`` of an `unreadable` fault.
UNREADABLE: Mapping[str, str] = {"NaN": "NaN", "digits": "9" * 5000, "nesting": "[" * 100_000 + "]" * 100_000}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Where: ``endpoint`` is token, query, renew, media or one of PLATFORM, and ``route`` a glob of method and path for
    where an endpoint has several (``GET */recordingmetadata``); ``recording`` is an id, a glob of ids, or ``#3`` for
    the conversation of that number. In the platform API it is the id of a conversation or of a recording, and the fault
    sticks to it: it meets each request that names it or would list it, however many others are in the same request. For
    media and renew requests ``times`` counts per recording and ``every`` picks every n-th recording by index and seed;
    for all others both count requests. ``after`` lets that many pass first; ``times=None`` never ends.

    How: ``status`` (default 503; 403 for expired, 302 for redirects) with ``retry_after_s``, as seconds or, with
    ``retry_after_date``, as an HTTP date; ``seconds`` to wait (per piece when trickling); ``size`` in bytes: where to
    cut or to turn a bit, how much to add to Content-Length, to overlap, or to send at a time; ``name`` of the field of
    an API reply to leave out or give a wrong type, or ``values`` to put into fields (in a query reply: of the entries
    that ``recording`` matches), or one of UNREADABLE; ``location`` of a redirect; ``scope`` that a token reply names.

    Raises ValueError when the kind is unknown or not known at the endpoint, or a value makes no sense.
    """

    kind: str
    endpoint: str = "media"
    recording: str = "*"
    route: str = "*"
    times: int | None = None
    every: int = 1
    after: int = 0
    status: int | None = None
    retry_after_s: float | None = None
    retry_after_date: bool = False
    seconds: float | None = None
    size: int | None = None
    name: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    location: str = "http://127.0.0.1:9/"
    scope: str = "recording:read"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"fault {self.kind!r} is unknown; known are {', '.join(sorted(KINDS))}")
        if self.endpoint not in KINDS[self.kind]:
            raise ValueError(f"fault {self.kind!r} occurs at {', '.join(KINDS[self.kind])}, not at {self.endpoint!r}")
        if (self.kind == "set_fields") != bool(self.values):
            raise ValueError("values are what set_fields puts into fields: give both or neither")
        if self.kind == "unreadable" and (self.name or "NaN") not in UNREADABLE:
            raise ValueError(f"name of an unreadable fault is one of {', '.join(UNREADABLE)}, not {self.name!r}")
        if self.every < 1 or self.after < 0 or (self.times is not None and self.times < 1):
            raise ValueError(f"every={self.every}, after={self.after}, times={self.times}: must be at least 1, 0 and 1")


#: Faults by name. All of "transient" is overcome by a client that retries, resumes and renews.
PRESETS: Mapping[str, tuple[Fault, ...]] = {
    "none": (),
    "transient": (
        Fault("reset_midway", every=7, times=1),
        Fault("status", every=11, times=1, status=503, retry_after_s=1),
        Fault("expired", every=13, times=1),
        Fault("reset", every=17, times=1),
        Fault("status", "query", times=1, status=429, retry_after_s=1),
    ),
    "storm": tuple(Fault("status", kind, times=3, status=429, retry_after_s=1) for kind in PLATFORM),
}


def read_faults(text: str) -> tuple[Fault, ...]:
    """Read the faults of a preset's name, or of JSON: one fault or a list. Raise ValueError for anything else."""
    if text in PRESETS:
        return PRESETS[text]
    try:
        given = json.loads(text)
        return tuple(Fault(**each) for each in (given if isinstance(given, list) else [given]))
    except (TypeError, ValueError) as error:
        raise ValueError(f"known presets are {', '.join(PRESETS)}; as JSON: {error}") from error
