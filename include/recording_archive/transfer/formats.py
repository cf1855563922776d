"""The format of a media file, found by its first bytes and only then by the server's content type.

``bytes`` here are the head of a file, a few kilobytes at most; nothing is decoded. An error page that a server sends
under status 200 is recognised too, so that it is never archived as a recording.
"""

from __future__ import annotations

import re

from recording_archive.model import MediaFormat

HEAD_BYTES = 4096
"""Bytes of a file's beginning that are worth keeping: two frames of the largest MP3 that occurs in practice."""

UNKNOWN = MediaFormat("bin", "application/octet-stream")

_WAV = MediaFormat("wav", "audio/wav")
_MP3 = MediaFormat("mp3", "audio/mpeg")
_AAC = MediaFormat("aac", "audio/aac")
_M4A = MediaFormat("m4a", "audio/mp4")
_MP4 = MediaFormat("mp4", "video/mp4")
_OGG = MediaFormat("ogg", "audio/ogg")
_OPUS = MediaFormat("opus", "audio/ogg")
_WEBM = MediaFormat("webm", "video/webm")
_ZIP = MediaFormat("zip", "application/zip")

_PREFIXES = (
    (b"ID3", _MP3),
    (b"fLaC", MediaFormat("flac", "audio/flac")),
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
    "audio/flac": MediaFormat("flac", "audio/flac"),
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
    "message/rfc822": MediaFormat("eml", "message/rfc822"),
}

# kbit/s of MPEG layer III by header index; index 0 ("free") has no computable length and is not accepted.
_MP3_RATES = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # MPEG 1
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),  # MPEG 2 and 2.5
}
_MP3_HERTZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}

_TEXT = re.compile(rb"[\t\n\r\x20-\x7e\x80-\xff]*")
_JSON = re.compile(rb'\{\s*["}]|\[\s*(?:[\]{\["]|-?\d|true|false|null)')
_HTML = re.compile(
    rb"(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|title|script|h1|p|center|div)\b", re.I | re.S
)
_MARKUP = re.compile(rb"<(?:\?xml|[A-Za-z_!])")


def sniff(head: bytes, content_type: str | None) -> MediaFormat:
    """Name the format of the media that begins with ``head``; UNKNOWN when neither bytes nor server identify it.

    The content type counts only for what the bytes leave open, and only from an allow-list: no content type can
    make an archived file something that a browser would run.
    """
    declared = (content_type or "").partition(";")[0].strip().lower()
    return _by_prefix(head) or _by_container(head, declared) or _by_frames(head) or _DECLARED.get(declared, UNKNOWN)


def error_page_kind(head: bytes) -> str | None:
    """Return "HTML", "XML" or "JSON" when ``head`` begins such a document, which no recording does; else None."""
    text = _as_text(head[:1024]).lstrip()
    if not text or _TEXT.fullmatch(text[:256]) is None:
        return None
    if _JSON.match(text):
        return "JSON"
    if _HTML.match(text):
        return "HTML"
    return "XML" if _MARKUP.match(text) else None


def _as_text(head: bytes) -> bytes:
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if head.startswith(mark):
            return head[len(mark) :].decode(encoding, errors="replace").encode()
    return head


def _by_prefix(head: bytes) -> MediaFormat | None:
    return next((kind for prefix, kind in _PREFIXES if head.startswith(prefix)), None)


def _by_container(head: bytes, declared: str) -> MediaFormat | None:
    kind, form = head[:4], head[8:12]
    if kind in (b"RIFF", b"RF64", b"BW64") and form == b"WAVE":  # RF64, BW64: WAV over 4 GiB (EBU Tech 3306)
        return _WAV
    if kind == b"FORM" and form in (b"AIFF", b"AIFC"):
        return MediaFormat("aiff", "audio/aiff")
    if kind == b"OggS":
        return _ogg(head[:128])
    if kind == b"\x1a\x45\xdf\xa3":  # EBML
        return _matroska(head[:128], declared)
    return _mp4(form, declared) if head[4:8] == b"ftyp" else None


def _ogg(page: bytes) -> MediaFormat:
    if b"\x80theora" in page:
        return MediaFormat("ogv", "video/ogg")
    return _OPUS if b"OpusHead" in page else _OGG


def _matroska(header: bytes, declared: str) -> MediaFormat:
    if b"webm" not in header:
        return MediaFormat("mkv", "video/x-matroska")
    return _DECLARED["audio/webm"] if declared.startswith("audio/") else _WEBM


def _mp4(brand: bytes, declared: str) -> MediaFormat:
    """ISO base media by its major brand; brands that say nothing of audio or video leave it to the server."""
    if brand in (b"M4A ", b"M4B ", b"M4P "):
        return _M4A
    if brand == b"qt  ":
        return _DECLARED["video/quicktime"]
    audio = declared.startswith("audio/")
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
