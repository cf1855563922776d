"""Streams that end badly: a client that takes nothing, a file that turns out damaged."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

import anyio
import pytest

from recording_archive.errors import PermanentError
from recording_archive.web.media import streams
from recording_archive.web.media.ranges import ByteSpan, Selection

Message = MutableMapping[str, Any]
SCOPE = {"type": "http", "asgi": {"spec_version": "2.4"}}


async def receive() -> Message:
    """A client that says nothing more."""
    await anyio.sleep_forever()
    return {}


class Source:
    """Pieces that note whether they were closed; the second one may be damaged."""

    def __init__(self, *, damaged: bool = False) -> None:
        self.damaged, self.closed = damaged, False

    def __call__(self, span: ByteSpan) -> Iterator[bytes]:
        """Yield ``span`` in two pieces."""
        try:
            yield bytes(span.length // 2)
            if self.damaged:
                raise PermanentError("damaged")
            yield bytes(span.length - span.length // 2)
        finally:
            self.closed = True


def answer(source: Source) -> Any:
    """The response that sends ten bytes of ``source``."""
    selection = Selection(200, ByteSpan(0, 10), {"Content-Length": "10"})
    return streams.respond(selection, source, user="u", media_type="audio/wav", headers={})


def test_a_client_that_takes_nothing_loses_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without progress the source is closed, and no end is sent that would make a short body look whole."""
    monkeypatch.setattr(streams, "_STALL_S", 0.05)
    source, sent = Source(), []

    async def send(message: Message) -> None:
        sent.append(message["type"])
        if message["type"] == "http.response.body":
            await anyio.sleep_forever()

    anyio.run(answer(source), SCOPE, receive, send)
    assert source.closed
    assert sent == ["http.response.start", "http.response.body"]


def test_damage_in_the_middle_ends_without_an_end() -> None:
    """What was read before is sent; then the connection breaks, so that nobody takes it for the whole."""
    source, sent = Source(damaged=True), []

    async def send(message: Message) -> None:
        sent.append(message)

    with pytest.raises(PermanentError):
        anyio.run(answer(source), SCOPE, receive, send)
    assert source.closed
    assert [(message["type"], message.get("more_body")) for message in sent] == [
        ("http.response.start", None),
        ("http.response.body", True),
    ]


def test_nothing_is_sent_before_the_event() -> None:
    """What runs before the first byte may refuse it."""
    source, sent = Source(), []

    async def send(message: Message) -> None:
        sent.append(message)

    def refuse() -> None:
        raise PermanentError("no event, no audio")

    selection = Selection(200, ByteSpan(0, 10), {"Content-Length": "10"})
    response = streams.respond(selection, source, user="u", media_type="audio/wav", headers={}, before=refuse)
    with pytest.raises(PermanentError):
        anyio.run(response, SCOPE, receive, send)
    assert (sent, source.closed) == ([], True)
