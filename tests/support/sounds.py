"""Media of the formats that sources give, made here, and put into an archive under an id."""

from __future__ import annotations

import hashlib
import io
import math
import struct
from typing import Any

import av
from sqlalchemy import Row, insert, select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import recordings
from recording_archive.model import PartId
from recording_archive.store import bgzf
from support.contents import row_of

SECONDS = 4
MADE = {  # container, codec, rate, channels, type
    "mp3": ("mp3", "libmp3lame", 16000, 2, "audio/mpeg"),
    "opus": ("ogg", "libopus", 48000, 2, "audio/ogg"),
    "m4a": ("mp4", "aac", 16000, 2, "audio/mp4"),
    "flac": ("flac", "flac", 16000, 2, "audio/flac"),
    "adpcm": ("wav", "adpcm_ms", 8000, 2, "audio/wav"),
}
"""By name; the two sides speak in turn, a second each, the second side first."""


def samples(rate: int, channels: int, seconds: int = SECONDS) -> bytes:
    """Tones of 16 bits; each second another side is to be heard."""
    out = bytearray()
    for at in range(rate * seconds):
        tone = int(20000 * math.sin(at * 2 * math.pi * 440 / rate))
        out += b"".join(struct.pack("<h", tone if (at // rate + side) % 2 else 0) for side in range(channels))
    return bytes(out)


def encoded(container: str, codec: str, rate: int, channels: int) -> bytes:
    """The tones as a file of a format."""
    file, layout = io.BytesIO(), "stereo" if channels == 2 else "mono"
    with av.open(file, "w", format=container) as out:
        stream: Any = out.add_stream(codec, rate=rate)
        stream.layout = layout
        resampler = av.AudioResampler(format=stream.codec_context.format or "s16", layout=layout, rate=rate)
        content, size = samples(rate, channels), 960 * 2 * channels
        for start in range(0, len(content), size):
            piece = content[start : start + size]
            frame = av.AudioFrame(format="s16", layout=layout, samples=len(piece) // (2 * channels))
            frame.sample_rate, frame.pts = rate, start // (2 * channels)
            frame.planes[0].update(piece.ljust(frame.planes[0].buffer_size, b"\0"))
            for resampled in resampler.resample(frame):
                out.mux(stream.encode(resampled))
        out.mux(stream.encode(None))
    return file.getvalue()


def screen() -> bytes:
    """A screen recording without sound: a picture that changes each second."""
    file = io.BytesIO()
    with av.open(file, "w", format="webm") as out:
        stream: Any = out.add_stream("libvpx", rate=5)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for number in range(5 * SECONDS):
            frame = av.VideoFrame(320, 180, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([40 * (number // 5) + 60]) * plane.buffer_size)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()


def add(archive: Archive, name: str, media: bytes, mime_type: str, **facts: Any) -> Row[Any]:
    """Enter media under an id, as if it had been archived; its sidecar is not there."""
    packed = io.BytesIO()
    bgzf.compress(io.BytesIO(media), packed)
    stored = packed.getvalue()
    key = f"recordings/org=default/undated/{name}~{name}~0.{mime_type.rpartition('/')[2]}.gz"
    archive.store.put(key, stored)
    told = {
        **PartId(name, name, 0)._asdict(),
        **{"key": key, "mime_type": mime_type, "size_bytes": len(media), "stored_bytes": len(stored)},
        **{"sha256": hashlib.sha256(media).hexdigest(), "stored_sha256": hashlib.sha256(stored).hexdigest()},
    }
    with archive.catalog.write() as connection:
        model = connection.execute(select(recordings).where(recordings.c.state == "archived").limit(1)).mappings().one()
        connection.execute(insert(recordings).values({**model, **told, **facts}))
    return row_of(archive, name)
