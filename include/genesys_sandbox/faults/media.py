"""Faults that only media knows: wrong bytes, ranges that lie, ETags that cannot be trusted."""

from __future__ import annotations

from secrets import token_hex

from genesys_sandbox.recordings.recording import Recording
from genesys_sandbox.reply import Body, FileSlice
from genesys_sandbox.settings.fault import Fault

OVERLAP_BYTES = 1000


def etag(recording: Recording, faults: list[Fault]) -> str | None:
    """The strong ETag of a recording, or what a fault makes of it."""
    kinds = {fault.kind for fault in faults}
    if "no_etag" in kinds:
        return None
    changed = f"-{token_hex(4)}" if "etag_changes" in kinds else ""
    weak = "W/" if "weak_etag" in kinds else ""
    return f'{weak}"{recording.sha256[:32]}{changed}"'


def shift_range(found: range | None, size: int, fault: Fault | None) -> range | None:
    """The range that is served instead of the one asked: none, one that begins too early, or one beyond the end."""
    match fault.kind if fault and found is not None else "":
        case "ignore_range":
            return None
        case "range_416":
            return range(size, size)
        case "overlap_206" if found:
            back = OVERLAP_BYTES if fault is None or fault.size is None else fault.size
            return range(max(0, found.start - back), found.stop)
    return found


def flip(recording: Recording, window: range, fault: Fault) -> Body:
    """The bytes of ``window`` with one bit turned, in byte ``size`` of the recording or the middle of the window."""
    place = window.start + len(window) // 2 if fault.size is None else fault.size
    if place not in window:
        return (FileSlice(recording.path, window.start, len(window)),)
    (byte,) = FileSlice(recording.path, place, 1).read()
    return (
        FileSlice(recording.path, window.start, place - window.start),
        bytes([byte ^ 1]),
        FileSlice(recording.path, place + 1, window.stop - place - 1),
    )
