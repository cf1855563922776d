"""A request for an evidence pack: named interactions, a hold, a run or a search; and the reason, which is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recording_archive.catalog.search import Filters
from recording_archive.errors import ConfigurationError
from recording_archive.params import read_ids, read_moment
from recording_archive.settings import Settings

_LONGEST_REASON = 2000
_TEXTS = ("agent", "queue", "number", "contact")
_QUERY = ("from", "to", *_TEXTS)
PARAMS = ("interactionIds", "holdId", "runId", "query", "reason")
"""Parameters of a run of `export_evidence`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One of ``ids``, ``hold``, ``run`` and ``filters``, and why; ``given`` is how the pack repeats it.

    Raises ConfigurationError when none or several of them are given, or no reason.
    """

    reason: str
    ids: tuple[str, ...] = ()
    hold: str | None = None
    run: str | None = None
    filters: Filters | None = None
    given: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if sum(each not in (None, ()) for each in (self.ids, self.hold, self.run, self.filters)) != 1:
            raise ConfigurationError("Name what the pack is to hold by one of these: ids, a hold, a run, or a search")
        if not 0 < len(self.reason.strip()) <= _LONGEST_REASON:
            raise ConfigurationError(f"A pack needs a reason, of at most {_LONGEST_REASON} characters; it is kept")


def filters_of(given: Mapping[str, Any], settings: Settings, *, prefix: str = "") -> Filters:
    """Turn a search by days (or moments) and parties into filters; ``prefix`` stands before names in errors."""
    if unknown := sorted(set(given) - set(_QUERY)):
        raise ConfigurationError(f"{prefix}{', '.join(unknown)}: a search takes {', '.join(_QUERY)}")
    if wrong := [name for name, value in given.items() if not isinstance(value, str) or not value.strip()]:
        raise ConfigurationError(f"{prefix}{', '.join(wrong)}: give a text, or leave it out")
    moments = {
        name: read_moment(f"{prefix}{name}", given[name], settings.zone, end=name == "to") if name in given else None
        for name in ("from", "to")
    }
    named: dict[str, Any] = {name: given.get(name) for name in _TEXTS}
    return Filters(start=moments["from"], end=moments["to"], region=settings.phone_region, **named)


def read_request(conf: Mapping[str, Any], settings: Settings) -> Asked:
    """Turn the parameters of a run of `export_evidence` into a request; raise ConfigurationError for a wrong one."""
    if unknown := sorted(set(conf) - set(PARAMS)):
        raise ConfigurationError(f"Unknown parameter {', '.join(unknown)}: this DAG takes {', '.join(PARAMS)}")
    given = {name: value for name, value in conf.items() if value not in (None, "", [], {}) and name != "reason"}
    texts = {"reason": conf.get("reason") or "", **{name: given.get(name) for name in ("holdId", "runId")}}
    if wrong := [name for name, value in texts.items() if not isinstance(value, str | None)]:
        raise ConfigurationError(f"{', '.join(wrong)}: give a text")
    query = given.get("query")
    if query is not None and not isinstance(query, Mapping):
        raise ConfigurationError('query: give a JSON object, such as {"from": "2026-01-01", "queue": "Billing"}')
    return Asked(
        str(texts["reason"]),
        ids=read_ids("interactionIds", given.get("interactionIds")),
        hold=given.get("holdId"),
        run=given.get("runId"),
        filters=filters_of(query, settings, prefix="query.") if query else None,
        given=given,
    )
