"""Program that decodes one media file from its standard input: ``decoder.py levels FORMAT``, or ``pcm FORMAT``.

It runs as a process of its own, with the file and nothing else: no secret, no archive, bounded in memory, processor
time and output, so that a file made to break a decoder breaks this process alone. It imports nothing of this package.
``levels`` prints a JSON document, ``pcm`` samples of 16 bits after a line that has their rate and channels. Exit status
3: the library is missing; 4: there is no sound in the file, or it cannot be read.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator
from typing import Any

POINTS = 1000
LOUDEST = 127
MISSING, UNREADABLE = 3, 4
_RATE = 8000  # of what is only looked at
_SLICE = _RATE // 100
_MOST_MEMORY, _MOST_SECONDS = 2 * 2**30, 60
_LONGEST = 24 * 3600 * 100  # slices of a day
_LEVELS = bytes(value if value < 128 else 255 - value for value in range(256))  # of the high byte, two's complement


def main() -> int:
    """Decode; return the exit status, and say why on standard error."""
    try:
        import av  # noqa: PLC0415 - where it is missing, that is told
    except ImportError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return MISSING
    _limit()
    what, kind = sys.argv[1:3]
    try:
        with av.open(sys.stdin.buffer, format=kind) as container:
            _decode(av, container, what)
    except (av.FFmpegError, MemoryError, ValueError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return UNREADABLE
    return 0


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_SECONDS, _MOST_SECONDS))


def _decode(av: Any, container: Any, what: str) -> None:
    sound = container.streams.audio
    if what == "levels" and not sound:  # a screen recording
        _print_document((container.duration or 0) // 1000, [], "")
    elif not sound:
        raise ValueError("it has no sound")
    elif what == "levels":
        _print_levels(av, container, sound[0])
    else:
        _print_samples(av, container, sound[0])


def _print_document(duration_ms: int, peaks: list[list[int]], codec: str) -> None:
    document = {"version": 1, "durationMs": duration_ms, "loudest": LOUDEST, "peaks": peaks, "codec": codec}
    print(json.dumps(document, separators=(",", ":")))  # noqa: T201


def _print_levels(av: Any, container: Any, stream: Any) -> None:
    channels = 2 if stream.codec_context.channels == 2 else 1
    found = [bytearray() for _ in range(channels)]
    rest = b""
    frames = 0
    size = _SLICE * channels * 2
    for piece in _readable(av, _samples(av, container, stream, _RATE, channels)):
        rest += piece
        frames += len(piece) // (2 * channels)
        whole = len(rest) - len(rest) % size
        _raise(found, rest[:whole], channels)
        rest = rest[whole:]
    if rest:
        _raise(found, rest, channels)
    peaks = [list(_shrunk(each)) for each in found]
    _print_document(frames * 1000 // _RATE, peaks, stream.codec_context.name)


def _readable(av: Any, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces as far as they can be read: a picture may be short, where something stands behind the sound."""
    begun = False
    try:
        for piece in pieces:
            begun = True
            yield piece
    except av.FFmpegError:
        if not begun:
            raise


def _raise(found: list[bytearray], run: bytes, channels: int) -> None:
    """Append the loudest level of each slice of ``run``."""
    for channel, levels in enumerate(found):
        heard = run[channel * 2 + 1 :: channels * 2].translate(_LEVELS)
        levels.extend(max(heard[start : start + _SLICE]) for start in range(0, len(heard), _SLICE))
        if len(levels) > _LONGEST:
            raise ValueError("it is longer than a day")


def _shrunk(levels: bytearray) -> Iterator[int]:
    step = max(1, -(-len(levels) // POINTS))
    return (max(levels[start : start + step]) for start in range(0, len(levels), step))


def _print_samples(av: Any, container: Any, stream: Any) -> None:
    channels = 2 if stream.codec_context.channels == 2 else 1
    out = sys.stdout.buffer
    out.write(f"{stream.codec_context.sample_rate} {channels}\n".encode())
    for piece in _samples(av, container, stream, stream.codec_context.sample_rate, channels):
        out.write(piece)


def _samples(av: Any, container: Any, stream: Any, rate: int, channels: int) -> Iterator[bytes]:
    """The sound as samples of 16 bits, of one channel or two."""
    resampler = av.AudioResampler(format="s16", layout="stereo" if channels == 2 else "mono", rate=rate)
    for frame in container.decode(stream):
        yield from (bytes(each.planes[0])[: each.samples * channels * 2] for each in resampler.resample(frame))
    yield from (bytes(each.planes[0])[: each.samples * channels * 2] for each in resampler.resample(None))


if __name__ == "__main__":
    sys.exit(main())
