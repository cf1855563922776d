"""Telephone speech that nobody spoke: seeded two-party calls as 8 kHz, 16 bit mono WAV.

Two voices and a stretch of line noise are synthesised once per process (about half a second); a call is then cut from
them phrase by phrase. So gigabytes cost little more than copying, and the bytes are a function of the key alone.
They compress as speech does: phrases do not repeat within a deflate window, and pauses hold noise, not zeros.
"""

from __future__ import annotations

import math
import random
import struct
from array import array
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

RATE_HZ = 8000
BYTES_PER_SECOND = 2 * RATE_HZ
WAV_HEADER_BYTES = 44

_VOICE_SECONDS = 16
_NOISE_SECONDS = 8
_GAINS = (0.35, 0.6, 1.0)
_PEAK = 12_000
# First and second formant in Hz of common vowels; 300 to 3400 Hz is all that a telephone carries.
_VOWELS = ((730, 1090), (270, 2290), (530, 1840), (570, 840), (300, 870), (640, 1190), (490, 1350))


class _Voice(NamedTuple):
    """One speaker: the samples at each loudness, and the byte offsets at which phrases begin."""

    loudness: tuple[bytes, ...]
    phrases: tuple[int, ...]


def wav(key: str, size_bytes: int) -> Iterator[bytes | memoryview]:
    """A call of ``size_bytes`` in pieces; the same key and size give the same bytes.

    A sample has two bytes, so an odd size is rounded down.
    """
    samples_bytes = wav_size(size_bytes) - WAV_HEADER_BYTES
    yield wav_header(samples_bytes)
    for piece in _turns(random.Random(key)):  # noqa: S311  # repeatable, not secret
        yield piece[:samples_bytes]
        samples_bytes -= len(piece)
        if samples_bytes <= 0:
            return


def mp4(key: str, size_bytes: int) -> bytes:
    """A screen recording that nobody can watch: the boxes of an MP4 file with one picture track, and seeded bytes."""
    handler = _box(b"hdlr", bytes(8) + b"vide" + bytes(13))
    head = _box(b"ftyp", b"isom" + bytes(4) + b"isomavc1")
    head += _box(b"moov", _box(b"trak", _box(b"mdia", handler)))
    rest = max(0, size_bytes - len(head) - 8)
    return head + _box(b"mdat", random.Random(key).randbytes(rest))  # noqa: S311  # repeatable, not secret


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def wav_size(size_bytes: int) -> int:
    """The size a call of about ``size_bytes`` really has: the header and whole samples, at least one."""
    return WAV_HEADER_BYTES + max(2, (size_bytes - WAV_HEADER_BYTES) // 2 * 2)


def wav_header(samples_bytes: int) -> bytes:
    """The 44 bytes before the samples of a PCM file (RIFF, ``fmt`` and ``data`` chunk)."""
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", 36 + samples_bytes, b"WAVE"),
        *(b"fmt ", 16, 1, 1, RATE_HZ, BYTES_PER_SECOND, 2, 16),
        *(b"data", samples_bytes),
    )


def _turns(chance: random.Random) -> Iterator[memoryview]:
    """Speech and pauses without end, the two parties by turns, each at a loudness of its own."""
    voices, noise = _pool()
    parties = [(voice.phrases, memoryview(chance.choice(voice.loudness))) for voice in voices]
    chance.shuffle(parties)
    while True:
        for phrases, samples in parties:
            first = chance.randrange(len(phrases) - 1)
            last = min(first + chance.randint(1, 4), len(phrases) - 1)
            yield samples[phrases[first] : phrases[last]]
            pause = int(chance.uniform(0.2, 1.5) * RATE_HZ) * 2
            start = chance.randrange((len(noise) - pause) // 2) * 2
            yield noise[start : start + pause]


@lru_cache(maxsize=1)
def _pool() -> tuple[tuple[_Voice, ...], memoryview]:
    chance = random.Random("genesys-sandbox")  # noqa: S311  # repeatable, not secret
    voices = tuple(_speak(chance, pitch_hz) for pitch_hz in (110, 205))
    return voices, memoryview(array("h", _noise(chance, _NOISE_SECONDS * RATE_HZ)).tobytes())


def _speak(chance: random.Random, pitch_hz: float) -> _Voice:
    samples: list[float] = []
    phrases = [0]
    while len(samples) < _VOICE_SECONDS * RATE_HZ:
        for _ in range(chance.randint(4, 9)):
            samples += _syllable(chance, pitch_hz * chance.uniform(0.85, 1.2))
        samples += [0.0] * int(chance.uniform(0.1, 0.3) * RATE_HZ)
        phrases.append(2 * len(samples))
    noise = _noise(chance, len(samples))
    mixed = (
        array("h", [int(gain * sample) + hiss for sample, hiss in zip(samples, noise, strict=True)]) for gain in _GAINS
    )
    return _Voice(tuple(loud.tobytes() for loud in mixed), tuple(phrases))


def _syllable(chance: random.Random, pitch_hz: float) -> list[float]:
    """A vowel, or one time in four a hiss such as *s*, swelling and fading within an eighth to a third of a second."""
    length = int(chance.uniform(0.12, 0.32) * RATE_HZ)
    if chance.random() < 0.25:
        sound = [later - earlier for earlier, later in pairwise(chance.random() for _ in range(length + 1))]
        peak = _PEAK / 4
    else:
        period = RATE_HZ / pitch_hz
        sound = [(i % period) / period - 0.5 + 0.1 * chance.random() for i in range(length)]
        for formant_hz in chance.choice(_VOWELS):
            sound = _resonate(sound, formant_hz)
        peak = _PEAK * chance.uniform(0.5, 1)
    scale = peak / max(map(abs, sound))
    swell = math.pi / length
    return [scale * sample * math.sin(swell * i) for i, sample in enumerate(sound)]


def _resonate(sound: list[float], formant_hz: float, width_hz: float = 110) -> list[float]:
    """A two-pole resonator: what the mouth does to the tone of the throat."""
    radius = math.exp(-math.pi * width_hz / RATE_HZ)
    one, two = 2 * radius * math.cos(2 * math.pi * formant_hz / RATE_HZ), -radius * radius
    last = before = 0.0
    shaped = []
    for sample in sound:
        last, before = sample + one * last + two * before, last
        shaped.append(last)
    return shaped


def _noise(chance: random.Random, samples: int) -> list[int]:
    """Line noise at about -60 dB of full scale."""
    return [value >> 2 for value in array("b", chance.randbytes(samples))]
