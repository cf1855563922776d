"""Bytes sent in pieces: bounded in number, constant in memory, read in threads of their own.

The API server is Airflow's. So a stream waits on a slow client without holding a thread or a database connection. One
stream more than ``RECORDING_ARCHIVE_MAX_STREAMS`` (per process) waits for its place, and is answered with 503 when it
gets none in time, instead of slowing all.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import BinaryIO, TypeVar

import anyio
from anyio.lowlevel import RunVar
from fastapi import Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from recording_archive.settings import read_settings
from recording_archive.web.media.places import NoPlaceError, Places
from recording_archive.web.media.ranges import ByteSpan, Selection
from recording_archive.web.problem import Problem

log = logging.getLogger(__name__)

Pieces = Callable[[ByteSpan], Iterator[bytes]]
"""Opens what is to be sent and yields the bytes of a span; closed, it gives back what it holds."""

PIECE_BYTES = 256 * 2**10
_THREADS = 8  # readers at once; of their own, so that a slow disk does not take the threads of Airflow's own routes
_RETRY_AFTER_S = 5
_STALL_S = 120.0  # a client that takes nothing for so long loses its slot; a browser asks again from where it was

_limiter: RunVar[anyio.CapacityLimiter] = RunVar("recording_archive_stream_threads")
_places: RunVar[Places] = RunVar("recording_archive_stream_places")
_T = TypeVar("_T")


def respond(
    selection: Selection,
    pieces: Pieces,
    *,
    user: str,
    media_type: str,
    headers: Mapping[str, str],
    before: Callable[[], None] = lambda: None,
) -> Response:
    """The response to `ranges.select`: with a body when there are bytes to send, else headers alone.

    A body waits for one of the places that ``user`` may hold.
    ``before`` runs when a stream has its place and its source is open, before the first byte: it writes the event
    without which nothing may be heard. What it raises is the answer instead. ``Content-Encoding: identity`` keeps
    Airflow's own compression away from ranges.
    """
    sent = {**headers, **selection.headers, "Content-Type": media_type, "Content-Encoding": "identity"}
    if selection.span is None or selection.span.length == 0:
        return _without_body(selection, sent, before)
    return _Stream(selection.status, pieces(selection.span), sent, before, user)


def send_made(source: Iterator[bytes], *, user: str, media_type: str, headers: Mapping[str, str]) -> Response:
    """The response that sends what is made on the way, whose length nobody knows; its errors break it."""
    sent = {**headers, "Content-Type": media_type, "Content-Encoding": "identity"}
    return _Stream(200, source, sent, lambda: None, user)


def file_pieces(open_file: Callable[[], BinaryIO]) -> Pieces:
    """Pieces of a file as it lies there."""

    def read(span: ByteSpan) -> Iterator[bytes]:
        with open_file() as file:
            file.seek(span.start)
            left = span.length
            while left and (piece := file.read(min(PIECE_BYTES, left))):
                left -= len(piece)
                yield piece

    return read


def _without_body(selection: Selection, headers: Mapping[str, str], before: Callable[[], None]) -> Response:
    if selection.status == 416:
        raise Problem(416, "This range lies behind the end", headers=selection.headers)
    if selection.status == 412:
        raise Problem(412, "The entity tag does not match", headers=selection.headers)
    if selection.span is not None:  # an empty body is sent as well
        before()
    response = Response(status_code=selection.status)
    response.headers.update(headers)  # afterwards: the length is that of what HEAD does not send
    return response


class _Stream(StreamingResponse):
    """Takes its place when it begins, and gives it back however it ends."""

    def __init__(
        self, status: int, source: Iterator[bytes], headers: Mapping[str, str], before: Callable[[], None], user: str
    ) -> None:
        super().__init__(iter(()), status, headers)
        self._source, self._before, self._user = source, before, user

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with _all_places().place(self._user, read_settings().stream_wait_s):
                await self._send_all(scope, receive, send)
        except NoPlaceError:
            raise _busy() from None

    async def _send_all(self, scope: Scope, receive: Receive, send: Send) -> None:
        source = self._source
        try:
            first = await _in_thread(lambda: next(source, b""))  # opens it: what cannot be read is no stream yet
            await _in_thread(self._before)
            self.body_iterator = _iterate(first, source)
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await _in_thread(getattr(source, "close", lambda: None))

    async def stream_response(self, send: Send) -> None:
        """Send everything; a client that stalls is left, with its connection closed short of the promised length."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for piece in self.body_iterator:
            with anyio.move_on_after(_STALL_S) as patience:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            if patience.cancelled_caught:
                log.info("a stream was ended: its client took nothing for %d s", _STALL_S)
                return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _all_places() -> Places:
    try:
        return _places.get()
    except LookupError:
        _places.set(Places(read_settings().max_streams))
        return _places.get()


def _busy() -> Problem:
    detail = (
        "As many recordings as the server, or you alone, may be sent at once are on their way, and none ended in time."
    )
    return Problem(503, "Too many streams", detail, headers={"Retry-After": str(_RETRY_AFTER_S)})


async def _iterate(first: bytes, source: Iterator[bytes]) -> AsyncIterator[bytes]:
    piece: bytes | None = first
    while piece is not None:
        if piece:
            yield piece
        piece = await _in_thread(lambda: next(source, None))


async def _in_thread(call: Callable[[], _T]) -> _T:
    try:
        limiter = _limiter.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(_THREADS)
        _limiter.set(limiter)
    return await anyio.to_thread.run_sync(call, limiter=limiter)
