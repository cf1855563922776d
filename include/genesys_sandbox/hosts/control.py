"""The control plane: faults and counters over HTTP, for tests and demos that run the sandbox as its own process.

    GET    /sandbox/statistics   counters: token, query, renew, media, media_bytes; hits by kind of fault
    GET    /sandbox/recordings   the truth: id, date, sha256, size_bytes of every recording
    GET    /sandbox/truth        what the platform API has: conversation, recording, part, sha256 of every media file
    POST   /sandbox/faults       one fault, or a list of them, as JSON with the fields of `Fault`; or a preset's name
    DELETE /sandbox/faults       all faults off

No credentials, so it answers to this machine alone; it is not counted, limited or disturbed itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any

from genesys_sandbox.cloud import Cloud, iso_utc
from genesys_sandbox.recordings.recording import Recording
from genesys_sandbox.reply import Reply, api_error, json_reply
from genesys_sandbox.settings.fault import read_faults

CONTROL_PREFIX = "/sandbox/"


def control(cloud: Cloud, method: str, route: str, body: bytes, *, caller: str) -> Reply:
    """Carry out one request; 403 for callers on other machines, 400 for a fault that does not exist."""
    if not ip_address(caller).is_loopback:
        return api_error(403, "not.authorized", "The control plane answers to loopback addresses alone.")
    match method, route.removeprefix(CONTROL_PREFIX):
        case "GET", name if name in _SHOWN:
            return json_reply(_SHOWN[name](cloud))
        case "POST", "faults":
            return _add(cloud, body)
        case "DELETE", "faults":
            cloud.faults.clear()
            return Reply(204)
    return api_error(404, "not.found", f"The control plane has no {method} {route}")


def _add(cloud: Cloud, body: bytes) -> Reply:
    try:
        faults = read_faults(body.decode())
        cloud.faults.add(*faults)
    except ValueError as error:
        return api_error(400, "bad.request", str(error))
    return json_reply({"added": len(faults)}, 201)


def _part(conversation: str, recording: str, part: int, media: Recording) -> dict[str, Any]:
    named = {"conversationId": conversation, "recordingId": recording, "part": part}
    return {**named, "date": iso_utc(media.date), "sha256": media.sha256}


def _truth(recording: Any) -> dict[str, Any]:
    return {
        "id": recording.id,
        "date": iso_utc(recording.date),
        "sha256": recording.sha256,
        "size_bytes": recording.size_bytes,
    }


_SHOWN: Mapping[str, Callable[[Cloud], Any]] = {
    "statistics": lambda cloud: {**cloud.requests.statistics(), "faults": dict(cloud.faults.hits)},
    "recordings": lambda cloud: [_truth(recording) for recording in cloud.library],
    "truth": lambda cloud: [_part(*named, media) for named, media in cloud.world.truth().items()],
}
