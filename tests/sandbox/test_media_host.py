"""The media host of the sandbox: whole files, ranges, and signed URLs."""

from __future__ import annotations

import hashlib
import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
import requests

from genesys_sandbox import SIGNATURE_PREFIX, Sandbox, SandboxOptions
from support.sandbox_client import TIMEOUT_S, body_of, fetch, media_url


def test_media_is_whole_and_right(sandbox: Sandbox) -> None:
    """A plain GET gives all bytes with length, type, strong ETag and Date; their hash is the checksum."""
    recording = sandbox.library[0]
    reply = fetch(media_url(sandbox, recording))
    assert reply.status_code == 200
    assert hashlib.sha256(reply.content).hexdigest() == recording.sha256
    assert int(reply.headers["Content-Length"]) == len(reply.content) == recording.size_bytes
    assert re.fullmatch(r'"[0-9a-f]+"', reply.headers["ETag"])
    assert reply.headers["Content-Type"] == "audio/wav"
    assert abs(parsedate_to_datetime(reply.headers["Date"]) - datetime.now(UTC)) < timedelta(minutes=1)


def test_head_tells_the_length_without_body(sandbox: Sandbox) -> None:
    """HEAD has the headers of GET and no body, so the connection stays in step."""
    with requests.Session() as session:
        url = media_url(sandbox, sandbox.library[0])
        head = session.head(url, timeout=TIMEOUT_S)
        assert int(head.headers["Content-Length"]) == sandbox.library[0].size_bytes
        assert session.get(url, timeout=TIMEOUT_S).content == body_of(sandbox.library[0])


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=5-99999999", slice(5, None)),
    ],
)
def test_range_gets_206(sandbox: Sandbox, asked: str, found: slice) -> None:
    """Each form of a single range gives exactly those bytes, and says which."""
    body = body_of(sandbox.library[0])
    reply = fetch(media_url(sandbox, sandbox.library[0]), Range=asked)
    start, stop, _ = found.indices(len(body))
    assert (reply.status_code, reply.content) == (206, body[found])
    assert reply.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(body)}"


@pytest.mark.parametrize("asked", ["bytes=9-3", "bytes=0-1,4-5", "bytes=-", "lines=1-2", "bytes=a-b"])
def test_range_that_cannot_be_read_is_ignored(sandbox: Sandbox, asked: str) -> None:
    """RFC 9110, 14.2: an invalid Range, or several, may be answered with the whole."""
    assert fetch(media_url(sandbox, sandbox.library[0]), Range=asked).status_code == 200


def test_range_beyond_the_end_gets_416(sandbox: Sandbox) -> None:
    """Nothing to send is 416 with the size."""
    size = sandbox.library[0].size_bytes
    reply = fetch(media_url(sandbox, sandbox.library[0]), Range=f"bytes={size}-")
    assert (reply.status_code, reply.headers["Content-Range"]) == (416, f"bytes */{size}")


def test_if_range_resumes_only_the_same_bytes(sandbox: Sandbox) -> None:
    """An equal strong ETag gives 206; another one, a weak one or a date gives the whole."""
    url = media_url(sandbox, sandbox.library[0])
    tag = fetch(url).headers["ETag"]
    assert fetch(url, Range="bytes=5-", If_Range=tag).status_code == 206
    for other in ('"other"', f"W/{tag}", "Sat, 21 Nov 2026 00:00:00 GMT"):
        assert fetch(url, Range="bytes=5-", If_Range=other).status_code == 200


def test_expired_url_gets_403_and_renewal_helps() -> None:
    """A URL past its life gets S3's XML error; a new one from the API works."""
    options = SandboxOptions(days=1, per_day=1, min_bytes=500, max_bytes=500, url_life_s=0.2)
    with Sandbox(options) as sandbox:
        url = media_url(sandbox, sandbox.library[0])
        time.sleep(0.21)
        reply = fetch(url)
        assert (reply.status_code, reply.headers["Content-Type"]) == (403, "application/xml")
        assert "<Message>Request has expired</Message>" in reply.text
        assert fetch(media_url(sandbox, sandbox.library[0])).status_code == 200


@pytest.mark.parametrize("change", [("signature=", "signature=0"), ("expires=1", "expires=2"), ("?", "?x=")])
def test_changed_url_gets_403(sandbox: Sandbox, change: tuple[str, str]) -> None:
    """Neither the signature nor what it signs can be changed."""
    url = media_url(sandbox, sandbox.library[0])
    assert SIGNATURE_PREFIX in url
    assert "SignatureDoesNotMatch" in fetch(url.replace(*change)).text


def test_signature_of_one_recording_opens_no_other(sandbox: Sandbox) -> None:
    """A signature is bound to its path."""
    first, second = sandbox.library[0], sandbox.library[1]
    assert fetch(media_url(sandbox, first).replace(first.id, second.id)).status_code == 403


def test_media_host_refuses_a_token(sandbox: Sandbox) -> None:
    """The media host, as S3 does, refuses an Authorization header beside a signature: a leak shows."""
    url = media_url(sandbox, sandbox.library[0])
    assert fetch(url, Authorization="Bearer x").status_code == 400


def test_media_has_a_host_of_its_own(sandbox: Sandbox) -> None:
    """Media URLs point to the second port, which knows no API; and the API port has no media."""
    assert sandbox.media_base != sandbox.api_base
    url = media_url(sandbox, sandbox.library[0])
    assert url.startswith(f"{sandbox.media_base}/media/{sandbox.library[0].id}.wav?")
    assert fetch(url.replace(sandbox.media_base, sandbox.api_base)).status_code == 404
    assert requests.post(f"{sandbox.media_base}/login/oauth2/token", timeout=TIMEOUT_S).status_code == 405
