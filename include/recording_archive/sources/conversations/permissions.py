"""Permissions of the OAuth client: as the service states them, or found by trying where it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from recording_archive.errors import AccessError, PermanentError
from recording_archive.model import Window
from recording_archive.sources.client import ApiClient
from recording_archive.sources.conversations.query import DetailsQuery
from recording_archive.sources.conversations.reading import entries, text
from recording_archive.sources.replies import NotFoundError, RejectedError, as_object

__all__ = ["NEEDED", "SENSITIVE", "USEFUL", "Access", "try_access"]

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
_SHORT_TTL_MIN = 5
USUAL_PER_MINUTE = 300


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
        raise AccessError(
            f"The OAuth client's role lacks {', '.join(missing)}: add it in Genesys Cloud Admin > People & Permissions "
            "> Roles / Permissions; docs/genesys-cloud.md lists all permissions"
        )
    notes = [*_permission_notes(granted), *_division_notes(client), *_setting_notes(client)]
    return Access(query.probe(day), tuple(notes))


def _granted(client: ApiClient) -> frozenset[tuple[str, str, str]] | None:
    """The policies of the client's roles, or None where the service does not show them."""
    try:
        return client.get("/api/v2/authorization/subjects/me", _read_policies)
    except PermanentError:
        return None


def _read_policies(reply: Any) -> frozenset[tuple[str, str, str]] | None:
    grants = entries(reply, "grants") if isinstance(reply, dict) else []
    roles = [grant["role"] for grant in grants if isinstance(grant.get("role"), dict)]
    policies = [policy for role in roles for policy in entries(role, "policies")]
    found = frozenset(
        (text(each, "domain") or "", text(each, "entityName") or "", action)
        for each in policies
        for action in (each.get("actions") or ())
        if isinstance(action, str)
    )
    return found or None


def _has(granted: frozenset[tuple[str, str, str]], name: str) -> bool:
    """True if a permission is granted, by its name or by a ``*`` in any place."""
    wanted = name.split(":")
    return any(all(part in ("*", wish) for part, wish in zip(policy, wanted, strict=True)) for policy in granted)


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


def _permission_notes(granted: frozenset[tuple[str, str, str]] | None) -> Iterator[str]:
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


def _division_notes(client: ApiClient) -> Iterator[str]:
    """Divisions for which the client has no role: their recordings are silently absent."""
    token = client.get("/api/v2/tokens/me", as_object)
    path = "/api/v2/authorization/divisions?pageSize=500"
    try:
        divisions = entries(client.get(path, as_object), "entities")
    except (AccessError, RejectedError) as error:
        yield f"divisions cannot be listed: {error}"
        return
    owner = token.get("OAuthClient")
    roles = entries(owner, "roleDivisions") if isinstance(owner, dict) else []
    granted = {each.get("divisionId") for each in roles}
    names = {text(each, "id"): text(each, "name") or "" for each in divisions}
    if not roles:
        yield f"check that the client has a role in each division: {', '.join(sorted(names.values()))}"
    elif "*" not in granted and (left := sorted(name for key, name in names.items() if key not in granted)):
        yield f"no role in division {', '.join(left)}: their recordings are silently absent"


def _setting_notes(client: ApiClient) -> Iterator[str]:
    settings = client.get("/api/v2/recording/settings", as_object)
    yield from _limit_notes(client)
    minutes = settings.get("recordingBatchDownloadUrlTtl")
    if isinstance(minutes, int) and minutes < _SHORT_TTL_MIN:
        yield f"media URLs live for {minutes} minutes only: raise it in Admin > Recording Management to save requests"


def _limit_notes(client: ApiClient) -> Iterator[str]:
    """The client's allowance, where it is less than the usual one."""
    try:
        reply = client.get("/api/v2/organizations/limits/namespaces/platform.api", as_object)
    except PermanentError:
        return  # shown nowhere else, and each reply says how much is used up
    limits = {text(each, "key"): each.get("value") for each in entries(reply, "entities")}
    allowed = limits.get("client.credentials.token.rate.per.minute")
    if isinstance(allowed, int) and allowed < USUAL_PER_MINUTE:
        yield f"the client may send {allowed} requests a minute, {USUAL_PER_MINUTE} are usual"
