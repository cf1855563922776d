"""Permissions of the OAuth client: as the service states them, or found by trying where it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

from recording_archive.errors import AccessError, ArchiveError
from recording_archive.model import Window
from recording_archive.sources.client import ApiClient
from recording_archive.sources.conversations.query import DetailsQuery
from recording_archive.sources.conversations.reading import entries, text
from recording_archive.sources.conversations.troubles import is_of_one
from recording_archive.sources.replies import NotFoundError, as_object

__all__ = ["NEEDED", "SENSITIVE", "USEFUL", "WEAKER", "Access", "role_facts", "try_access"]

T = TypeVar("T")

NEEDED = ("analytics:conversationDetail:view", "recording:recording:view")
SENSITIVE = "recording:recording:viewSensitiveData"
WEAKER = "recording:recordingSegment:view"
USEFUL = {
    "recording:screenRecording:view": "screen recordings are not listed",
    "recording:recording:restore": "recordings in cold storage cannot be brought back",
    "recording:orphan:view": "orphan recordings, which belong to no conversation, are not archived",
    "routing:queue:view": "queues have no names",
    "routing:wrapupCode:view": "wrap-up codes have no names",
}
USUAL_PER_MINUTE = 300
_SHORT_TTL_MIN = 5
_SUBJECT = "/api/v2/authorization/subjects/me?includeFullRoles=true"
_SETTINGS = "/api/v2/recording/settings"
_LIMITS = "/api/v2/organizations/limits/namespaces/platform.api"


@dataclass(frozen=True, slots=True)
class _Policy:
    """A permission with ``*`` in any place; ``is_limited``: for some queues, users or teams alone."""

    name: tuple[str, str, str]
    is_limited: bool

    def grants(self, permission: str) -> bool:
        return all(part in ("*", wish) for part, wish in zip(self.name, permission.split(":"), strict=True))


_Granted = frozenset[_Policy] | None


@dataclass(frozen=True, slots=True)
class Access:
    """Result of a trial: the number of conversations of the last day that are shown (0 or 1), and warnings."""

    listed: int
    notes: tuple[str, ...]


def try_access(client: ApiClient, query: DetailsQuery, day: Window) -> Access:
    """Try everything a run needs; raise AccessError that names each missing permission."""
    granted = _granted(client)
    missing = [name for name in NEEDED if granted is not None and not _has(granted, name)]
    missing += _refused(client, query, day) if granted is None else []
    if missing:
        cut = f". {WEAKER}, which it has, shows cut recordings alone" if _is_cut(granted) else ""
        raise AccessError(
            f"The OAuth client's role lacks {', '.join(missing)}: add it in Genesys Cloud Admin > People & Permissions "
            f"> Roles / Permissions; docs/genesys-cloud.md lists all permissions{cut}"
        )
    notes = (
        *_permission_notes(granted),
        *_describe("the divisions of the client", _division_notes, client),
        *_describe("the client's allowance of requests", _limit_notes, client),
        *_describe("the settings of recordings", _setting_notes, client),
    )
    return Access(query.probe(day), notes)


def role_facts(client: ApiClient) -> dict[str, Any]:
    """The service's words on the client's role and limits, ready for JSON; what it refuses to tell is None."""
    granted = _granted(client)
    wanted = (*NEEDED, SENSITIVE, WEAKER, *USEFUL)
    settings = _or_none(lambda: client.get(_SETTINGS, as_object)) or {}
    return {
        "missing": None if granted is None else [name for name in wanted if not _has(granted, name)],
        "under a condition": None if granted is None else _limited(granted, wanted),
        "minutes that URLs of batches live": settings.get("recordingBatchDownloadUrlTtl"),
        "minutes that URLs of playback live": settings.get("recordingPlaybackUrlTtl"),
        "requests a minute": _or_none(lambda: _allowance(client)),
    }


def _granted(client: ApiClient) -> _Granted:
    """The policies of the client's roles, or None where the service does not show them."""
    return _or_none(lambda: client.get(_SUBJECT, _read_policies))


def _or_none(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except ArchiveError as error:
        if not is_of_one(error):
            raise
        return None


def _read_policies(reply: Any) -> _Granted:
    grants = entries(reply, "grants") if isinstance(reply, dict) else []
    roles = [grant["role"] for grant in grants if isinstance(grant.get("role"), dict)]
    found = frozenset(
        _Policy((text(each, "domain") or "", text(each, "entityName") or "", action), _is_limited(each))
        for role in roles
        for each in (*entries(role, "policies"), *entries(role, "permissionPolicies"))
        for action in (*_texts(each, "actions"), *_texts(each, "actionSet"))
    )
    return found or None


def _texts(policy: Mapping[str, Any], name: str) -> Iterator[str]:
    found = policy.get(name)
    yield from (each for each in (found if isinstance(found, list) else []) if isinstance(each, str))


def _is_limited(policy: Mapping[str, Any]) -> bool:
    """``condition`` in a grant's policy, a tree of them in the policy of a full role."""
    return bool(policy.get("condition") or policy.get("resourceConditionNode"))


def _has(granted: Iterable[_Policy], name: str) -> bool:
    return any(policy.grants(name) for policy in granted)


def _limited(granted: Iterable[_Policy], names: Iterable[str]) -> list[str]:
    """The ones of ``names`` that are granted under a condition and nowhere without."""
    free = [policy for policy in granted if not policy.is_limited]
    return [name for name in names if _has(granted, name) and not _has(free, name)]


def _is_cut(granted: _Granted) -> bool:
    return granted is not None and _has(granted, WEAKER) and not _has(granted, NEEDED[1])


def _refused(client: ApiClient, query: DetailsQuery, day: Window) -> Iterator[str]:
    """The needed permissions whose request is refused; an id that does not exist is answered with 404."""
    metadata = f"/api/v2/conversations/{uuid4()}/recordingmetadata"
    tries: dict[str, Callable[[], object]] = {
        NEEDED[0]: lambda: query.probe(day),
        NEEDED[1]: lambda: client.get(metadata, lambda _: None),
    }
    for name, attempt in tries.items():
        try:
            attempt()
        except AccessError:
            yield name
        except NotFoundError:
            continue


def _permission_notes(granted: _Granted) -> Iterator[str]:
    if granted is None:
        yield (
            f"the service does not show whether the role has {SENSITIVE}: without it recordings with sensitive data "
            "are left out silently; compare with `recording-archive reconcile`"
        )
        return
    if not _has(granted, SENSITIVE):
        yield f"{SENSITIVE} is missing: recordings with sensitive data are silently left out of the archive"
    for name, effect in USEFUL.items():
        if not _has(granted, name):
            yield f"{name} is missing: {effect}"
    if limited := _limited(granted, (*NEEDED, SENSITIVE, *USEFUL)):
        yield (
            f"granted under a condition alone: {', '.join(limited)}: what the condition (queues, users, teams) leaves "
            "out is silently absent, or cut; give the role these permissions without one"
        )


def _describe(what: str, notes: Callable[[ApiClient], Iterator[str]], client: ApiClient) -> Iterator[str]:
    """The notes about a thing; that it cannot be seen is one, for a run does without."""
    try:
        yield from list(notes(client))
    except ArchiveError as error:
        if not is_of_one(error):
            raise
        yield f"{what} cannot be seen: {error}"


def _division_notes(client: ApiClient) -> Iterator[str]:
    """Divisions for which the client has no role: their recordings are silently absent."""
    token = client.get("/api/v2/tokens/me", as_object)
    divisions = entries(client.get("/api/v2/authorization/divisions?pageSize=500", as_object), "entities")
    owner = token.get("OAuthClient")
    roles = entries(owner, "roleDivisions") if isinstance(owner, dict) else []
    granted = {each.get("divisionId") for each in roles}
    names = {text(each, "id"): text(each, "name") or "" for each in divisions}
    if not roles:
        yield f"check that the client has a role in each division: {', '.join(sorted(names.values()))}"
    elif "*" not in granted and (left := sorted(name for key, name in names.items() if key not in granted)):
        yield f"no role in division {', '.join(left)}: their recordings are silently absent"


def _setting_notes(client: ApiClient) -> Iterator[str]:
    minutes = client.get(_SETTINGS, as_object).get("recordingBatchDownloadUrlTtl")
    if isinstance(minutes, int) and minutes < _SHORT_TTL_MIN:
        yield f"media URLs live for {minutes} minutes only: raise it in Admin > Recording Management to save requests"


def _limit_notes(client: ApiClient) -> Iterator[str]:
    """The client's allowance, where it is less than the usual one."""
    allowed = _allowance(client)
    if allowed is not None and allowed < USUAL_PER_MINUTE:
        yield f"a token may send {allowed} requests a minute, {USUAL_PER_MINUTE} are usual"


def _allowance(client: ApiClient) -> int | None:
    reply = client.get(_LIMITS, as_object)
    limits = {text(each, "key"): each.get("value") for each in entries(reply, "entities")}
    allowed = limits.get("client.credentials.token.rate.per.minute")
    return allowed if isinstance(allowed, int) else None
