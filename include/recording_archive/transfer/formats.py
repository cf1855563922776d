"""The format of a media file, found by its bytes and only then by the content types it is declared to have.

``head`` is the beginning of a file, a few kilobytes at most; nothing is decoded.
"""

from __future__ import annotations

from recording_archive.model import MediaFormat
from recording_archive.transfer.documents import bare, document_format
from recording_archive.transfer.tracks import Peek, Tracks, asf_tracks, matroska_tracks, mp4_tracks

HEAD_BYTES = 4096
"""Bytes of a file's beginning that are worth keeping: two frames of the largest MP3 that occurs in practice."""

MAX_TAGS = 3

UNKNOWN = MediaFormat("bin", "application/octet-stream")

_WAV = MediaFormat("wav", "audio/wav")
_MP3 = MediaFormat("mp3", "audio/mpeg")
_AAC = MediaFormat("aac", "audio/aac")
_M4A = MediaFormat("m4a", "audio/mp4")
_MP4 = MediaFormat("mp4", "video/mp4")
_OGG = MediaFormat("ogg", "audio/ogg")
_OPUS = MediaFormat("opus", "audio/ogg")
_WEBM = MediaFormat("webm", "video/webm")
_WMA = MediaFormat("wma", "audio/x-ms-wma")
_CAF = MediaFormat("caf", "audio/x-caf")
_FLAC = MediaFormat("flac", "audio/flac")
_ZIP = MediaFormat("zip", "application/zip")

_PREFIXES = (
    (b"fLaC", _FLAC),
    (b"ADIF", _AAC),
    (b"caff\x00\x01", _CAF),
    (b"#!AMR-WB\n", MediaFormat("awb", "audio/amr-wb")),
    (b"#!AMR\n", MediaFormat("amr", "audio/amr")),
    (b".snd", MediaFormat("au", "audio/basic")),
    (b"PK\x03\x04", _ZIP),
    (b"PK\x05\x06", _ZIP),  # an archive without entries
)

_DECLARED = {
    **dict.fromkeys(("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"), _WAV),
    **dict.fromkeys(("audio/mpeg", "audio/mp3"), _MP3),
    "audio/ogg": _OGG,
    "audio/opus": _OPUS,
    "audio/webm": MediaFormat("webm", "audio/webm"),
    **dict.fromkeys(("audio/mp4", "audio/x-m4a"), _M4A),
    "audio/aac": _AAC,
    **dict.fromkeys(("audio/flac", "audio/x-flac"), _FLAC),
    "audio/x-ms-wma": _WMA,
    "audio/x-caf": _CAF,
    "audio/amr": MediaFormat("amr", "audio/amr"),
    "audio/basic": MediaFormat("au", "audio/basic"),
    "audio/aiff": MediaFormat("aiff", "audio/aiff"),
    "audio/x-aiff": MediaFormat("aiff", "audio/aiff"),
    "audio/3gpp": MediaFormat("3gp", "audio/3gpp"),
    "video/3gpp": MediaFormat("3gp", "video/3gpp"),
    "video/mp4": _MP4,
    "video/webm": _WEBM,
    "video/x-matroska": MediaFormat("mkv", "video/x-matroska"),
    "video/quicktime": MediaFormat("mov", "video/quicktime"),
    "application/zip": _ZIP,
}

_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")

# kbit/s of MPEG layer III by header index; index 0 ("free") has no computable length and is not accepted.
_MP3_RATES = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # MPEG 1
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),  # MPEG 2 and 2.5
}
_MP3_HERTZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def sniff(head: bytes, *content_types: str | None, peek: Peek | None = None) -> MediaFormat:
    """Name the format of the media that begins with ``head``; UNKNOWN when neither bytes nor content types identify it.

    A content type counts only for what the bytes leave open, and only from an allow-list: none can make an archived
    file that is not text something that a browser would run. ``peek`` reads what lies behind the head.
    """
    declared = tuple(map(bare, content_types))
    found = _by_bytes(head, declared, peek or (lambda offset: head[offset:]))
    return found or next((_DECLARED[name] for name in declared if name in _DECLARED), UNKNOWN)


def _by_bytes(head: bytes, declared: tuple[str, ...], peek: Peek) -> MediaFormat | None:
    return (
        _by_prefix(head)
        or _by_container(head, declared, peek)
        or _by_frames(head)
        or (_behind_tags(head, peek) if head.startswith(b"ID3") else None)
        or document_format(head, declared)
    )


def _behind_tags(head: bytes, peek: Peek) -> MediaFormat:
    """Name what follows ID3 tags, which are put before AAC and FLAC too (id3v2.4.0-structure, 3.1); mostly MP3."""
    offset = 0
    for _ in range(MAX_TAGS):
        if not head.startswith(b"ID3") or len(head) < 10:
            break
        size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        offset += 10 + size + (10 if head[5] & 0x10 else 0)  # with a footer
        head = peek(offset)
    head = head.lstrip(b"\x00")  # padding
    return _by_prefix(head) or _by_frames(head) or _MP3


def _by_prefix(head: bytes) -> MediaFormat | None:
    return next((kind for prefix, kind in _PREFIXES if head.startswith(prefix)), None)


def _by_container(head: bytes, declared: tuple[str, ...], peek: Peek) -> MediaFormat | None:
    kind, form = head[:4], head[8:12]
    audio = any(name.startswith("audio/") for name in declared)
    # RF64, BW64: WAV over 4 GiB (EBU Tech 3306); RIFX: with the bytes of numbers in the other order
    if kind in (b"RIFF", b"RIFX", b"RF64", b"BW64") and form == b"WAVE":
        return _WAV
    if kind == b"FORM" and form in (b"AIFF", b"AIFC"):
        return MediaFormat("aiff", "audio/aiff")
    if kind == b"OggS":
        return _ogg(head[:128])
    if kind == b"\x1a\x45\xdf\xa3":  # EBML
        return _matroska(head[:128], _is_audio(matroska_tracks(peek), declared=audio))
    if head.startswith(_ASF):
        return _WMA if _is_audio(asf_tracks(peek), declared=audio) else MediaFormat("wmv", "video/x-ms-wmv")
    return _mp4(form, _is_audio(mp4_tracks(peek), declared=audio)) if head[4:8] == b"ftyp" else None


def _is_audio(tracks: Tracks, *, declared: bool) -> bool:
    """Tell if there is sound alone, as the tracks say, or the content types where the tracks cannot be read."""
    return declared if tracks is Tracks.UNKNOWN else tracks is Tracks.AUDIO


def _ogg(page: bytes) -> MediaFormat:
    if b"\x80theora" in page:
        return MediaFormat("ogv", "video/ogg")
    return _OPUS if b"OpusHead" in page else _OGG


def _matroska(header: bytes, audio: bool) -> MediaFormat:
    if b"webm" not in header:
        return MediaFormat("mka", "audio/x-matroska") if audio else MediaFormat("mkv", "video/x-matroska")
    return _DECLARED["audio/webm"] if audio else _WEBM


def _mp4(brand: bytes, audio: bool) -> MediaFormat:
    """ISO base media by its major brand, and by its tracks where the brand says nothing of audio or video."""
    if brand in (b"M4A ", b"M4B ", b"M4P "):
        return _M4A
    if brand == b"qt  ":
        return _DECLARED["video/quicktime"]
    if brand[:2] == b"3g":
        return _DECLARED["audio/3gpp" if audio else "video/3gpp"]
    return _M4A if audio else _MP4


def _by_frames(head: bytes) -> MediaFormat | None:
    """Streams without a header: two frames must follow each other, for eleven set bits alone occur in raw speech."""
    for length_of, kind in ((_mp3_frame, _MP3), (_adts_frame, _AAC)):
        length = length_of(head)
        if length and (len(head) < length + 4 or length_of(head[length:])):
            return kind
    return None


def _mp3_frame(head: bytes) -> int:
    """Length in bytes of the MPEG layer III frame that begins here (ISO 11172-3), 0 if none does."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return 0
    version, rate, hertz = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or rate in (0, 15) or hertz == 3:
        return 0
    samples = 144 if version == 3 else 72
    return samples * _MP3_RATES[version == 3][rate] * 1000 // _MP3_HERTZ[version][hertz] + (head[2] >> 1 & 1)


def _adts_frame(head: bytes) -> int:
    """Length in bytes of the AAC frame that begins here (ISO 13818-7, ADTS), 0 if none does."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 > 12:
        return 0
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length if length > 7 else 0
