"""The body of a reply, piece by piece."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator

from recording_archive.transfer.bounds import BUFFER_BYTES, BoundedResponse


def chunks_of(
    reply: BoundedResponse, buffer: memoryview, most: int, count: Callable[[int], None]
) -> Iterator[memoryview]:
    """Fill ``buffer`` by single system calls and hand it out when full, up to ``most`` bytes in all.

    What came before an error is handed out before the error is raised, so that a cut loses nothing. ``count`` is told
    of each piece as it comes.
    """
    read = reply.readinto1 if reply.chunked else reply.fp.readinto1
    filled, came, room = 0, 0, BUFFER_BYTES  # no more than is buffered behind the headers
    failure: Exception | None = None
    while came < most:
        try:
            view = buffer[filled : min(len(buffer), filled + most - came, filled + room)]
            reply.meter.expect(len(view), came)
            got = read(view)
        except (OSError, http.client.HTTPException) as error:
            failure = error
            break
        if not got:
            break
        filled, came, room = filled + got, came + got, len(buffer)
        count(got)
        if filled == len(buffer):
            yield buffer
            filled = 0
    if filled:
        yield buffer[:filled]
    if failure is not None:
        raise failure
