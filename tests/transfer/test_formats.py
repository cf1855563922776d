"""Formats: what the bytes say, and what content types may add."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recording_archive.transfer.formats import UNKNOWN, sniff

MEDIA = Path(__file__).parents[1] / "media"
MP3_FRAME = b"\xff\xfb\x90\x00" + bytes(413)  # MPEG 1 layer III, 128 kbit/s, 44.1 kHz: 417 bytes
MP3_SPEECH = b"\xff\xe3\x18\xc4" + bytes(68)  # MPEG 2.5, 8 kbit/s, 8 kHz: 72 bytes
ADTS_FRAME = b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(9)  # 16 bytes

ID3 = b"ID3\x04\x00\x00\x00\x00\x02\x00" + bytes(256)
WMA = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c4000000000000000") + bytes.fromhex(
    "409e69f84d5bcf11a8fd00805f5c442b"
).ljust(40)
WMV = WMA[:48] + bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b")
M4A_AS_ISOM = (MEDIA / "call.m4a").read_bytes().replace(b"ftypM4A ", b"ftypisom")
SOUND_ONLY_WEBM = (MEDIA / "call.webm").read_bytes()


@pytest.mark.parametrize(
    ("head", "declared", "extension", "mime_type"),
    [
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", None, "wav", "audio/wav"),
        (b"RF64\xff\xff\xff\xffWAVEds64", None, "wav", "audio/wav"),
        (b"RIFX\x00\x00\x00\x24WAVEfmt ", None, "wav", "audio/wav"),
        (b"ID3\x04\x00\x00", None, "mp3", "audio/mpeg"),
        (ID3 + MP3_FRAME, "audio/aac", "mp3", "audio/mpeg"),
        (ID3 + ADTS_FRAME * 2, None, "aac", "audio/aac"),
        (ID3 + ID3 + bytes(9) + b"fLaC\x00\x00\x00\x22", None, "flac", "audio/flac"),
        (WMA, None, "wma", "audio/x-ms-wma"),
        (WMV, "audio/x-ms-wma", "wmv", "video/x-ms-wmv"),
        (b"caff\x00\x01\x00\x00desc", None, "caf", "audio/x-caf"),
        (b"ADIF", None, "aac", "audio/aac"),
        (MP3_FRAME * 2, None, "mp3", "audio/mpeg"),
        (MP3_SPEECH * 2, "audio/wav", "mp3", "audio/mpeg"),
        (ADTS_FRAME * 2, None, "aac", "audio/aac"),
        (b"OggS\x00\x02" + bytes(20) + b"\x01\x13OpusHead", None, "opus", "audio/ogg"),
        (b"OggS\x00\x02" + bytes(20) + b"\x01\x1e\x01vorbis", None, "ogg", "audio/ogg"),
        (b"OggS\x00\x02" + bytes(20) + b"\x01\x2a\x80theora", None, "ogv", "video/ogg"),
        (b"\x00\x00\x00\x20ftypM4A \x00\x00", None, "m4a", "audio/mp4"),
        (b"\x00\x00\x00\x20ftypisom\x00\x00", None, "mp4", "video/mp4"),
        (b"\x00\x00\x00\x20ftypisom\x00\x00", "audio/mp4", "m4a", "audio/mp4"),
        (b"\x00\x00\x00\x18ftyp3gp5\x00\x00", None, "3gp", "video/3gpp"),
        (b"\x00\x00\x00\x18ftyp3gp5\x00\x00", "audio/3gpp", "3gp", "audio/3gpp"),
        (M4A_AS_ISOM, None, "m4a", "audio/mp4"),
        (M4A_AS_ISOM, "video/mp4", "m4a", "audio/mp4"),
        (SOUND_ONLY_WEBM, "video/webm", "webm", "audio/webm"),
        (SOUND_ONLY_WEBM.replace(b"webm", b"mtrk"), None, "mka", "audio/x-matroska"),
        (b"\x00\x00\x00\x14ftypqt  \x00\x00", None, "mov", "video/quicktime"),
        (b"fLaC\x00\x00\x00\x22", None, "flac", "audio/flac"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm", None, "webm", "video/webm"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm", "audio/webm;codecs=opus", "webm", "audio/webm"),
        (b"\x1a\x45\xdf\xa3\xa3\x42\x82\x88matroska", None, "mkv", "video/x-matroska"),
        (b"#!AMR\n\x3c", None, "amr", "audio/amr"),
        (b"#!AMR-WB\n\x3c", None, "awb", "audio/amr-wb"),
        (b".snd\x00\x00\x00\x18", None, "au", "audio/basic"),
        (b"FORM\x00\x00\x00\x00AIFFCOMM", None, "aiff", "audio/aiff"),
        (b"PK\x03\x04\x14\x00", "audio/wav", "zip", "application/zip"),
    ],
)
def test_bytes_name_the_format(head: bytes, declared: str | None, extension: str, mime_type: str) -> None:
    """The first bytes decide the extension, and the server's word only where they leave it open."""
    found = sniff(head, declared)
    assert (found.extension, found.mime_type) == (extension, mime_type)


def test_content_type_helps_when_bytes_say_nothing() -> None:
    """Headerless audio takes its extension from an allowed content type, whatever its case and parameters."""
    assert sniff(b"\x7f" * 64, "Audio/Basic; rate=8000").extension == "au"


@pytest.mark.parametrize("declared", [None, "", "text/html", "image/svg+xml", "application/x-sh", "../../etc"])
def test_other_content_types_are_not_believed(declared: str | None) -> None:
    """A type outside the allow-list, such as one that a browser runs, becomes an opaque download."""
    assert sniff(b"\x01\x02\x03\x04" * 16, declared) == UNKNOWN


@pytest.mark.parametrize("head", [b"\xff\xfb\x90\x00" + b"\x55" * 1000, b"\xff" * 64, MP3_FRAME + b"\x00" * 64])
def test_one_sync_word_is_not_an_mp3(head: bytes) -> None:
    """Eleven set bits in raw speech do not make an MP3: a second frame must follow."""
    assert sniff(head, None) == UNKNOWN


@given(st.binary(max_size=300), st.text(max_size=30))
def test_any_bytes_have_a_format(head: bytes, declared: str) -> None:
    """No head and no content type, however odd, makes the recognition fail."""
    assert sniff(head, declared).extension.isalnum()
