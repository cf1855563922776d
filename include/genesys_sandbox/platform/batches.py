"""Batch downloads: up to 100 conversations or recordings, polled until every media file has its signed URL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from genesys_sandbox.cloud import media_name
from genesys_sandbox.platform.call import BadRequestError, Call, answer, not_found
from genesys_sandbox.recordings.world import Conversation, Item
from genesys_sandbox.reply import Reply

MAX_ITEMS = 100


@dataclass(slots=True)
class _Batch:
    asked: list[dict[str, Any]]
    ready_at: float
    polls: int = 0
    results: list[dict[str, Any]] | None = field(default=None, repr=False)


def submit(call: Call) -> Reply:
    """``POST …/batchrequests``."""
    asked = (call.body or {}).get("batchDownloadRequestList") if isinstance(call.body, dict) else None
    if not isinstance(asked, list) or not 1 <= len(asked) <= MAX_ITEMS:
        raise BadRequestError(f"batchDownloadRequestList must have 1 to {MAX_ITEMS} items")
    job_id = str(uuid4())
    call.world.jobs[job_id] = _Batch(asked, call.world.clock() + call.cloud.options.batch_s)
    return answer({"id": job_id, "selfUri": f"/api/v2/recording/batchrequests/{job_id}"})


def status(call: Call) -> Reply:
    """``GET …/batchrequests/{jobId}``: in progress at first, then all results."""
    job_id, world = call.path["job"], call.world
    batch = world.jobs.get(job_id)
    if not isinstance(batch, _Batch):
        return not_found("batch request")
    batch.polls += 1
    done = batch.polls > call.cloud.options.batch_polls and world.clock() >= batch.ready_at
    if done and (batch.results is None or "fixed_urls" not in world.traps):
        batch.results = [result for asked in batch.asked for result in _results(call, asked)]
    if done and "lost_batches" in world.traps:
        del world.jobs[job_id]
    return answer(_shown(call, job_id, batch, done=done))


def _shown(call: Call, job_id: str, batch: _Batch, *, done: bool) -> dict[str, Any]:
    traps, results = call.world.traps, (batch.results or []) if done else []
    expected = len(results) if done else batch.polls if "changing_count" in traps else len(batch.asked)
    shown = {
        "jobId": job_id,
        "status": "Completed" if done else "InProgress",
        "expectedResultCount": expected,
        "resultCount": len(results),
        "errorCount": sum("errorMsg" in result for result in results),
        "results": results,
    }
    if "changing_count" in traps and not done:
        shown["resultCount"] = expected  # as many as expected so far, and yet not done
    if "zero_start" in traps:
        del shown["status"]
        shown["expectedResultCount"] = len(results)
    return shown


def _results(call: Call, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Results for one item of the request; none for a conversation that is not shown."""
    conversation = call.world.get(str(asked.get("conversationId")))
    wanted = asked.get("recordingId")
    for item in conversation.items if conversation else ():
        if conversation and (wanted is None or item.id == wanted):
            yield from _of_item(call, conversation, item)


def _of_item(call: Call, conversation: Conversation, item: Item) -> Iterator[dict[str, Any]]:
    state, traits = call.world.state(conversation, item), conversation.traits
    blind = "sensitive" in traits and "recording:recording:viewSensitiveData" not in call.permissions
    if "unrecorded" in traits or state in {"DELETED", "UPLOADING"} or blind:
        return
    named = {"conversationId": conversation.id, "recordingId": item.id}
    if state in {"ARCHIVED", "RESTORING"}:
        yield {**named, "errorMsg": "The recording is archived and must be restored before it can be downloaded."}
    elif "batch_errors" in traits:
        yield {**named, "errorMsg": "An error occurred while the recording was processed."}
    else:
        for part in item.parts:
            url = call.cloud.urls.make(media_name(part))
            yield {**named, "resultUrl": url, "contentType": part.mime_type}
