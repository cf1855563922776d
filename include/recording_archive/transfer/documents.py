"""Documents among media: chats as JSON, e-mails as HTML or in their own form, and error pages that are none of these.

A server that has trouble sends a page under status 200. Its like is a recording only when a checksum or the source's
own content type says so, and an error object never.
"""

from __future__ import annotations

import json
import re
from typing import Any

from recording_archive.model import MediaFormat

JSON, HTML, XML = "JSON", "HTML", "XML"

_FORMATS = {
    JSON: MediaFormat("json", "application/json"),
    HTML: MediaFormat("html", "text/html"),
    XML: MediaFormat("xml", "application/xml"),
}
_EMAIL = MediaFormat("eml", "message/rfc822")
_KINDS = {
    "application/json": (JSON,),
    "text/html": (HTML, XML),  # a fragment may begin with any element
    "application/xhtml+xml": (HTML, XML),
    "application/xml": (XML,),
    "text/xml": (XML,),
}
_TEXTS = {
    **dict.fromkeys(("text/html", "application/xhtml+xml"), _FORMATS[HTML]),
    "application/json": _FORMATS[JSON],
    "message/rfc822": _EMAIL,
    "text/plain": MediaFormat("txt", "text/plain"),
}

_PRINTABLE = re.compile(rb"[\t\n\r\x20-\x7e\x80-\xff]*")
_JSON = re.compile(rb'\{\s*["}]|\[\s*(?:[\]{\["]|-?\d|true|false|null)')
_HTML = re.compile(
    rb"(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|title|script|h1|p|center|div)\b", re.I | re.S
)
_MARKUP = re.compile(rb"<(?:\?xml|[A-Za-z_!])")
_HEADERS = re.compile(rb"(?:From [^\r\n]*\r?\n)?(?:[!-9;-~]+:[^\r\n]*\r?\n(?:[ \t][^\r\n]*\r?\n)*)+")
_OF_EMAIL = re.compile(rb"^(?:Received|Return-Path|From|Message-ID|MIME-Version):", re.I | re.M)

_S3_ERROR = re.compile(rb"(?:<\?xml[^>]*>\s*)?<Error\b[^>]*>.*<Code>", re.S)
_COMPLAINTS = frozenset(
    ("code", "detail", "error", "error_description", "errorcode", "errormessage", "errors", "fault", "message", "title")
)
_CIRCUMSTANCES = frozenset(
    (
        *("contextid", "correlationid", "details", "entityid", "entityname", "instance", "limit", "messageparams"),
        *("messagewithparams", "path", "requestid", "status", "statuscode", "timestamp", "type", "userparams"),
    )
)


def document_kind(head: bytes) -> str | None:
    """Return the kind of text that ``head`` begins, which audio and video do not; None for anything else."""
    text = _as_text(head[:1024]).lstrip()
    if not text or not _is_text(text):
        return None
    if _JSON.match(text):
        return JSON
    if _HTML.match(text):
        return HTML
    return XML if _MARKUP.match(text) else None


def is_declared(kind: str, content_type: str | None) -> bool:
    """Tell if a content type announces a document of this kind."""
    return kind in _KINDS.get(bare(content_type), ())


def is_error(head: bytes) -> bool:
    """Tell if ``head`` is a whole error object of an API, or begins an error of S3: no chat and no e-mail is one."""
    text = _as_text(head).strip()
    if _S3_ERROR.match(text):
        return True
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return False
    keys = {key.casefold() for key in found} if isinstance(found, dict) else {""}
    return keys <= _COMPLAINTS | _CIRCUMSTANCES and (not keys or not keys.isdisjoint(_COMPLAINTS))


def document_format(head: bytes, declared: tuple[str, ...]) -> MediaFormat | None:
    """Name the format of a text by its beginning, or by what it is declared to be; None when it is no text."""
    text = _as_text(head).lstrip()
    if not text or not _is_text(text):
        return None
    kind = document_kind(head)
    if kind == XML and any(_TEXTS.get(name) is _FORMATS[HTML] for name in declared):
        kind = HTML
    if kind is not None:
        return _FORMATS[kind]
    headers = _HEADERS.match(text)
    if headers and _OF_EMAIL.search(headers[0]):
        return _EMAIL
    return next((_TEXTS[name] for name in declared if name in _TEXTS), None)


def bare(content_type: str | None) -> str:
    """A content type in lower case and without its parameters."""
    return (content_type or "").partition(";")[0].strip().lower()


def _is_text(text: bytes) -> bool:
    return _PRINTABLE.fullmatch(text[:256]) is not None


def _as_text(head: bytes) -> bytes:
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if head.startswith(mark):
            return head[len(mark) :].decode(encoding, errors="replace").encode()
    return head
