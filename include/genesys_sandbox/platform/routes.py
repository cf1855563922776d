"""Routes: path, operation, required permissions, and the endpoint name that faults and counters use."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from genesys_sandbox.cloud import Cloud
from genesys_sandbox.platform import batches, details, directory, jobs, orphans, playback
from genesys_sandbox.platform.call import BadRequestError, Call
from genesys_sandbox.reply import Reply, api_error

_DETAILS = ("analytics:conversationDetail:view", "analytics:agentConversationDetail:view")
_VIEW = (
    *("recording:recording:view", "recording:recordingSegment:view"),
    *("recording:snippetRecording:view", "recording:screenRecording:view"),
)
_RESTORE = ("recording:recording:restore", "recording:screenRecording:restore", "recording:snippetRecording:restore")
_ANNOTATIONS = ("recording:annotation:view",)
_ORPHANS = ("recording:orphan:view",)


@dataclass(frozen=True, slots=True)
class Route:
    """One operation; any of ``permissions`` is enough, none are needed where it is empty."""

    method: str
    path: str
    kind: str
    answer: Callable[[Call], Reply]
    permissions: tuple[str, ...] = ()

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """The path's parameters when this is what was asked."""
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path)
        found = re.fullmatch(pattern, path) if method == self.method else None
        return found.groupdict() if found else None

    def refusal(self, cloud: Cloud) -> Reply | None:
        """A 403 that names what is missing."""
        if not self.permissions or set(self.permissions) & set(cloud.options.permissions.split(",")):
            return None
        message = "Unable to perform the requested action. You are missing the following permission(s): "
        return api_error(403, "missing.any.permissions", message + ", ".join(self.permissions))

    def reply(self, cloud: Cloud, found: dict[str, str], url: str, body: bytes) -> Reply:
        """Reply of the operation; 400 for what cannot be read."""
        query: dict[str, str] = {}
        for name, value in parse_qsl(urlsplit(url).query):
            query[name] = f"{query[name]},{value}" if name in query else value
        try:
            return self.answer(Call(cloud, found, query, _decoded(body)))
        except BadRequestError as error:
            return api_error(400, "bad.request", str(error))


def find_route(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The route of a request and its path's parameters."""
    for route in ROUTES:
        if (found := route.match(method, path)) is not None:
            return route, found
    return None


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError as error:
        raise BadRequestError(f"The body is not JSON: {error}") from error


_ANALYTICS = "/api/v2/analytics/conversations/details"
_CONVERSATION = "/api/v2/conversations/{conversation}"
_RECORDING = f"{_CONVERSATION}/recordings/{{recording}}"
ROUTES = (
    Route("POST", f"{_ANALYTICS}/query", "details", details.query, _DETAILS),
    Route("GET", _ANALYTICS, "details", details.by_ids, _DETAILS),
    Route("POST", f"{_ANALYTICS}/jobs", "jobs", jobs.submit, _DETAILS),
    Route("GET", f"{_ANALYTICS}/jobs/availability", "jobs", jobs.availability, _DETAILS),
    Route("GET", f"{_ANALYTICS}/jobs/{{job}}", "jobs", jobs.status, _DETAILS),
    Route("DELETE", f"{_ANALYTICS}/jobs/{{job}}", "jobs", jobs.cancel, _DETAILS),
    Route("GET", "/api/v2/analytics/conversations/{conversation}/details", "details", details.one, _DETAILS),
    Route("GET", f"{_ANALYTICS}/jobs/{{job}}/results", "jobs", jobs.results, _DETAILS),
    Route("POST", "/api/v2/recording/batchrequests", "batch", batches.submit, _VIEW),
    Route("GET", "/api/v2/recording/batchrequests/{job}", "poll", batches.status),
    Route("GET", "/api/v2/recording/settings", "directory", directory.settings),
    Route("GET", _CONVERSATION, "metadata", playback.conversation, ("conversation:communication:view",)),
    Route("GET", f"{_CONVERSATION}/recordingmetadata", "metadata", playback.metadata, _VIEW),
    Route("GET", f"{_CONVERSATION}/recordings", "playback", playback.recordings, _VIEW),
    Route("GET", f"{_CONVERSATION}/recordings/{{recording}}", "playback", playback.recording, _VIEW),
    Route("GET", f"{_RECORDING}/annotations", "metadata", playback.annotation_list, _ANNOTATIONS),
    Route("GET", f"{_RECORDING}/annotations/{{annotation}}", "metadata", playback.annotation, _ANNOTATIONS),
    Route("PUT", f"{_CONVERSATION}/recordings/{{recording}}", "restore", playback.restore, _RESTORE),
    Route("GET", "/api/v2/recordings/retention/query", "inventory", playback.retention, ("recording:recording:view",)),
    Route("GET", "/api/v2/orphanrecordings", "orphans", orphans.listing, _ORPHANS),
    Route("GET", "/api/v2/orphanrecordings/{orphan}", "orphans", orphans.orphan, _ORPHANS),
    Route("GET", "/api/v2/orphanrecordings/{orphan}/media", "orphans", orphans.media, _ORPHANS),
    Route("GET", "/api/v2/tokens/me", "directory", directory.token),
    Route("GET", "/api/v2/organizations/me", "directory", directory.organization),
    Route("GET", "/api/v2/authorization/divisions", "directory", directory.divisions),
    Route("GET", "/api/v2/authorization/subjects/me", "directory", directory.subject),
    Route("GET", "/api/v2/organizations/limits/namespaces/{namespace}", "directory", directory.limits),
    Route("GET", "/api/v2/users", "directory", directory.users),
    Route("GET", "/api/v2/routing/queues", "directory", directory.queues, ("routing:queue:view",)),
    Route("GET", "/api/v2/routing/wrapupcodes", "directory", directory.codes, ("routing:wrapupCode:view",)),
)
