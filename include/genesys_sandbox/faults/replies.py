"""Faults of a reply as a whole, alike for API and media: status, resets, waits, framing, wrong pages, redirects."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from http.client import responses

from genesys_sandbox.media import wav_header
from genesys_sandbox.reply import Framing, Reply, api_error, json_reply, xml_error
from genesys_sandbox.settings.fault import Fault

BOMB_BYTES = 50 * 2**20
_CODES = {429: "too.many.requests", 404: "not.found", 403: "not.authorized", 401: "bad.credentials"}


def disturb(reply: Reply, fault: Fault, *, url: str) -> Reply:
    """``reply`` as the fault leaves it; ``url`` is what was asked, for a redirect to itself.

    A kind that is not of the reply as a whole changes nothing here.
    """
    if fault.kind == "redirect_loop":
        return _redirect(fault, url)
    change = _CHANGES.get(fault.kind)
    return change(reply, fault) if change else reply


def _status(_: Reply, fault: Fault) -> Reply:
    status = fault.status or 503
    message = responses.get(status, "Fault")
    if fault.endpoint == "media":
        reply = xml_error(status, "SlowDown" if status == 503 else message.replace(" ", ""), message)
    else:
        reply = api_error(status, _CODES.get(status, message.lower().replace(" ", ".")), message)
    return reply.with_headers(Retry_After=_retry_after(fault))


def _retry_after(fault: Fault) -> str | None:
    """Both forms of RFC 9110, section 10.2.3; a date has whole seconds, so it is rounded up."""
    if fault.retry_after_s is None:
        return None
    if fault.retry_after_date:
        moment = datetime.now(UTC) + timedelta(seconds=fault.retry_after_s + 1)
        return format_datetime(moment.replace(microsecond=0), usegmt=True)
    return f"{fault.retry_after_s:g}"


def _cut(reply: Reply, fault: Fault) -> Reply:
    return replace(reply, stop_after=reply.size // 2 if fault.size is None else fault.size)


def _page(content_type: str, body: bytes) -> Callable[[Reply, Fault], Reply]:
    """An error page under status 200: what gateways and proxies send."""
    return lambda _reply, _fault: Reply(200, (body,), {"Content-Type": content_type})


def _endless(reply: Reply, _: Fault) -> Reply:
    return replace(reply.with_headers(Content_Range=None), status=200, framing=Framing.CHUNKED, endless=True)


def _bomb(reply: Reply, _: Fault) -> Reply:
    bomb = Reply(200, (_bomb_bytes(),), reply.headers)
    return bomb.with_headers(Content_Encoding="gzip", Content_Range=None)


@lru_cache(maxsize=1)
def _bomb_bytes() -> bytes:
    """About 48 KB that decode to 50 MB, silence in a WAV file: nothing but the size is suspicious."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as file:
        file.write(wav_header(BOMB_BYTES))
        for _ in range(BOMB_BYTES // 2**20):
            file.write(bytes(2**20))
    return packed.getvalue()


def _redirect(fault: Fault, location: str) -> Reply:
    return Reply(fault.status or 302, headers={"Location": location})


def _seconds(fault: Fault, default: float) -> float:
    return default if fault.seconds is None else fault.seconds


_CHANGES: Mapping[str, Callable[[Reply, Fault], Reply]] = {
    "status": _status,
    "reset": lambda reply, _: replace(reply, drop=True),
    "reset_midway": lambda reply, fault: replace(_cut(reply, fault), reset=True),
    "cut": _cut,
    "hang": lambda reply, fault: replace(reply, wait_s=_seconds(fault, 30)),
    "slow": lambda reply, fault: replace(reply, body_wait_s=_seconds(fault, 2)),
    "trickle": lambda reply, fault: replace(reply, piece_bytes=fault.size or 16, piece_wait_s=_seconds(fault, 0.1)),
    "empty": lambda reply, _: replace(reply.with_headers(Content_Range=None), status=200, body=()),
    "html_200": _page("text/html", b"<!DOCTYPE html>\n<html><title>Error</title>Please sign in.</html>\n"),
    "xml_200": _page("application/xml", b'<?xml version="1.0"?>\n<Error><Code>InternalError</Code></Error>'),
    "json_200": _page("application/json", b'{"message": "Internal error", "code": "internal.server.error"}'),
    "accepted": lambda _, __: json_reply({"estimatedTranscodeTimeMs": 5000}, 202),
    "wrong_length": lambda reply, fault: replace(reply, length_error=1000 if fault.size is None else fault.size),
    "no_length": lambda reply, _: replace(reply, framing=Framing.CLOSE),
    "chunked": lambda reply, _: replace(reply, framing=Framing.CHUNKED),
    "gzip_bomb": _bomb,
    "endless": _endless,
    "redirect": lambda _, fault: _redirect(fault, fault.location),
}
