"""Load files: tables by which the review tools of law firms take the calls of a pack in, without anybody typing.

    loadfile.dat    Concordance DAT in UTF-8: cells between þ, parted by the control character 20; ® is a line break
    loadfile.xml    EDRM XML 1.2: a document for each call, its sound as the native file

Both hold the facts of ``calls.csv``, and paths from the bag's folder. The SHA-256 of the sound is a tag, as EDRM's own
hash is an MD5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any
from xml.sax.saxutils import quoteattr

from recording_archive.evidence.tables import Aside

_QUOTE, _COLUMN, _BREAK = "\u00fe", "\x14", "\u00ae"
_FIELDS = {  # of the DAT, by columns of calls.csv
    **{"INTERACTIONID": "interactionId", "RECORDINGID": "recordingId", "PART": "part", "DATESENT": "interactionDate"},
    **{"DURATIONMS": "durationMs", "DIRECTION": "direction", "FROM": "ani", "TO": "dnis", "AGENT": "agentName"},
    **{"QUEUE": "queueName", "OTHERPARTIES": "otherParties", "MIMETYPE": "mimeType", "FILESIZE": "audioBytes"},
    **{"SHA256": "audioSha256", "NATIVELINK": "audioFile", "STOREDLINK": "storedFile", "RECORDLINK": "sidecarFile"},
}
_TAGS = {  # of the XML; those with # are EDRM's own
    **{"#DateSent": "interactionDate", "#From": "ani", "#To": "dnis", "InteractionId": "interactionId"},
    **{"RecordingId": "recordingId", "Part": "part", "Direction": "direction", "DurationMs": "durationMs"},
    **{"Agent": "agentName", "Queue": "queueName", "OtherParties": "otherParties", "SHA256": "audioSha256"},
    **{"StoredFile": "storedFile", "RecordFile": "sidecarFile"},
}
_LINKS = ("audioFile", "storedFile", "sidecarFile")
_ROOT = '<Root DataInterchangeType="Export" MajorVersion="1" MinorVersion="2">'


class LoadFiles:
    """Both files of a pack, which grow call by call."""

    def __init__(self) -> None:
        self._dat, self._xml = Aside(), Aside()
        self._dat.add(f"\ufeff{_line(['DOCID', *_FIELDS])}")  # by which tools know that it is UTF-8
        self._xml.add(f'<?xml version="1.0" encoding="UTF-8"?>\n{_ROOT}\n<Batch>\n<Documents>\n')

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a call by its row of ``calls.csv``."""
        texts = {name: _text(value) for name, value in row.items()}
        texts |= {name: f"data/{texts[name]}" for name in _LINKS}
        name = f"CALL{int(row['number']):05d}"
        self._dat.add(_line([name, *(texts[column] for column in _FIELDS.values())]))
        self._xml.add("".join(_document(name, texts)))

    def files(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield the name and content of each, when all calls are in."""
        self._xml.add("</Documents>\n</Batch>\n</Root>\n")
        yield "loadfile.dat", self._dat.pieces()
        yield "loadfile.xml", self._xml.pieces()


def _text(value: Any) -> str:
    """A value as text, without what XML and DAT have no place for."""
    text = value.isoformat() if isinstance(value, date) else "" if value is None else str(value)
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


def _line(cells: Iterable[str]) -> str:
    plain = (cell.replace(_QUOTE, "?").replace("\n", _BREAK) for cell in cells)
    return _COLUMN.join(f"{_QUOTE}{cell}{_QUOTE}" for cell in plain) + "\r\n"


def _document(name: str, texts: Mapping[str, str]) -> Iterator[str]:
    folder, _, file = texts["audioFile"].rpartition("/")
    yield f'<Document DocID="{name}" DocType="File" MimeType={quoteattr(texts["mimeType"])}>\n<Tags>\n'
    for tag, column in _TAGS.items():
        kind = "DateTime" if tag == "#DateSent" else "Text"
        if texts[column]:
            yield f'<Tag TagName="{tag}" TagDataType="{kind}" TagValue={quoteattr(texts[column])}/>\n'
    yield '</Tags>\n<Files>\n<File FileType="Native">\n'
    named = f"FilePath={quoteattr(folder)} FileName={quoteattr(file)}"
    yield f"<ExternalFile {named} FileSize={quoteattr(texts['audioBytes'])}/>\n"
    yield "</File>\n</Files>\n</Document>\n"
