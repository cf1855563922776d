"""Documents: what tells a page from media, an error object from a chat, and how each is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recording_archive.transfer.documents import document_format, document_kind, is_declared, is_error

EMAIL = b"Received: from a by b;\r\n\tSat, 21 Nov 2026\r\nSubject: =?utf-8?q?x?=\r\n\r\nHello"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"<!DOCTYPE html><html>", "HTML"),
        (b"\xef\xbb\xbf\r\n  <HTML lang=en>", "HTML"),
        (b"<!-- gateway --><html>", "HTML"),
        ("\ufeff<html>".encode("utf-16-le"), "HTML"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code>', "XML"),
        (b"<Error><Code>SlowDown</Code></Error>", "XML"),
        (b'{"message": "expired"}', "JSON"),
        (b' [ {"code": 1} ]', "JSON"),
        (b"{}", "JSON"),
    ],
)
def test_documents_are_told_from_media(head: bytes, kind: str) -> None:
    """HTML, XML and JSON are told from media, behind a byte order mark and blanks too."""
    assert document_kind(head) == kind


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"RIFF\x24\x00\x00\x00WAVE",
        b"{\x00\x01\x02",
        b'{"\x00\x01',
        b"<A\x00\x00",
        b"<\x00\xff",
        b"[\x80\x81",
        b"\xff\xfe\x00\x01",
        b"<",
        b"{",
    ],
)
def test_media_is_no_document(head: bytes) -> None:
    """Audio whose first byte happens to be a bracket is not mistaken for a page."""
    assert document_kind(head) is None


@pytest.mark.parametrize(
    ("kind", "content_type", "declared"),
    [
        ("JSON", "application/json; charset=utf-8", True),
        ("HTML", "Text/HTML", True),
        ("XML", "text/html", True),
        ("XML", "application/xml", True),
        ("HTML", "application/json", False),
        ("JSON", "text/html", False),
        ("HTML", "audio/ogg", False),
        ("HTML", None, False),
    ],
)
def test_a_document_is_declared_by_its_own_type(kind: str, content_type: str | None, declared: bool) -> None:
    """A gateway's page is not what was declared as a chat."""
    assert is_declared(kind, content_type) is declared


@pytest.mark.parametrize(
    "head",
    [
        b"{}",
        b'{"message": "Forbidden"}',
        b'{"Message": "expired", "Code": "ExpiredToken", "RequestId": "1"}',
        b'{"code": "not.found", "message": "m", "status": 404, "contextId": "c", "details": [], "errors": []}',
        b'{"error": "invalid_token", "error_description": "d"}',
        b'{"type": "about:blank", "title": "Gone", "status": 410, "detail": "d", "instance": "/x"}',
        b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>',
        b"<Error><Code>SlowDown</Code></Error>",
    ],
)
def test_error_objects_are_recognised(head: bytes) -> None:
    """Genesys', OAuth's, RFC 9457's and S3's own forms."""
    assert is_error(head)


@pytest.mark.parametrize(
    "head",
    [
        b'{"conversationId": "c", "messages": []}',
        b'[{"from": "agent", "message": "Good morning"}]',
        b'{"message": "Hello", "from": "customer", "timestamp": "2026-11-21"}',
        b'{"id": "i", "status": "ok"}',
        b'{"status": 1}',
        b"<html>an <Error><Code> in an e-mail",
        b"<?xml version='1.0'?><chat/>",
        b"[" * 100_000,
        b"",
    ],
    ids=lambda head: repr(head[:20]),
)
def test_chats_are_no_error_objects(head: bytes) -> None:
    """A text with anything that no error object has is not taken for one."""
    assert not is_error(head)


@pytest.mark.parametrize(
    ("head", "declared", "extension"),
    [
        (b'{"messages": []}', (), "json"),
        (b"<!doctype html><p>", (), "html"),
        (b"<table><tr>", ("text/html",), "html"),
        (b"<table><tr>", (), "xml"),
        (b"<?xml version='1.0'?><a/>", (), "xml"),
        (EMAIL, (), "eml"),
        (b"From a@b Sat Nov 21\n" + EMAIL, ("text/plain",), "eml"),
        (b"Dear all", ("message/rfc822",), "eml"),
        (b"Dear <b>all</b>", ("text/html",), "html"),
        (b"10:00 Agent: hello", ("text/plain",), "txt"),
    ],
)
def test_a_document_has_the_extension_of_its_kind(head: bytes, declared: tuple[str, ...], extension: str) -> None:
    """The beginning decides, and a declaration where it says nothing."""
    found = document_format(head, declared)
    assert found is not None
    assert found.extension == extension


@pytest.mark.parametrize("head", [b"", b"note: this is no e-mail\n\n", b"\x00\x01", b"plain words"])
def test_other_bytes_are_no_document(head: bytes) -> None:
    """Neither media nor undeclared text is given a name here."""
    assert document_format(head, ("audio/wav",)) is None


@given(st.binary(max_size=300))
def test_any_bytes_can_be_looked_at(head: bytes) -> None:
    """No beginning, however odd, makes the recognition fail."""
    document_kind(head)
    is_error(head)
    document_format(head, ("text/html",))
