"""Details jobs over the data lake: submitted, polled, read by cursor; nothing younger than it has data for."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import uuid4

from genesys_sandbox.platform.call import BadRequestError, Call, answer, not_found, utc_text
from genesys_sandbox.platform.details import details, matching, read_interval
from genesys_sandbox.reply import Reply, json_reply

MAX_PAGE = 1000
POLLS = 2  # until a job is done


def submit(call: Call) -> Reply:
    """``POST …/details/jobs``."""
    body = call.body if isinstance(call.body, dict) else {}
    read_interval(body)
    job_id = str(uuid4())
    found = [each for each in matching(call, body, activity=True) if each.start < available(call)]
    call.world.jobs[job_id] = {"polls": 0, "found": found, "submitted": datetime.now(UTC)}
    return json_reply({"jobId": job_id}, 202)


def status(call: Call) -> Reply:
    """``GET …/details/jobs/{jobId}``."""
    job = call.world.jobs.get(call.path["job"])
    if job is None:
        return not_found("job")
    job["polls"] += 1
    done = job["polls"] >= POLLS
    shown = {"state": "FULFILLED" if done else "PENDING", "submissionDate": utc_text(job["submitted"])}
    ended = {"completionDate": utc_text(datetime.now(UTC))} if done else {}
    return answer({**shown, **ended, "expirationDate": utc_text(job["submitted"] + timedelta(days=1))})


def cancel(call: Call) -> Reply:
    """``DELETE …/details/jobs/{jobId}``: it is gone."""
    return Reply(200) if call.world.jobs.pop(call.path["job"], None) is not None else not_found("job")


def results(call: Call) -> Reply:
    """``GET …/details/jobs/{jobId}/results``: no cursor on the last page."""
    job = call.world.jobs.get(call.path["job"])
    if job is None or job["polls"] < POLLS:
        return not_found("job")
    size = call.number("pageSize", 100, MAX_PAGE)
    offset = _offset(call.query.get("cursor", "0"))
    found, end = job["found"], offset + size
    page: dict[str, Any] = {"conversations": [_with_attributes(call, each) for each in found[offset:end]]}
    more = {"cursor": str(end)} if end < len(found) else {}
    return answer({**page, **more, "dataAvailabilityDate": utc_text(available(call))})


def availability(call: Call) -> Reply:
    """``GET …/details/jobs/availability``."""
    return answer({"dataAvailabilityDate": utc_text(available(call))})


def available(call: Call) -> datetime:
    """Until when the data lake has everything."""
    end = call.cloud.options.end or datetime.now(UTC).date()
    return datetime.combine(end, time(), UTC) - timedelta(hours=call.cloud.options.data_lag_hours)


def _offset(cursor: str) -> int:
    if not cursor.isdecimal():
        raise BadRequestError("cursor is not of this job")
    return int(cursor)


def _with_attributes(call: Call, each: Any) -> dict[str, Any]:
    shown = details(call.world, each)
    shown["participants"][0]["attributes"] = {"customerTier": "gold", "accountPin": "0000"}
    return shown
