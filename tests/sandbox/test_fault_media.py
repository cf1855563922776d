"""Faults of media: wrong bytes, ranges, ETags, expired URLs."""

from __future__ import annotations

import pytest

from genesys_sandbox import Fault, Sandbox
from support.sandbox_client import body_of, expect_cut, fetch, media_url, raw


def test_wrong_bytes_differ_in_one_byte(sandbox: Sandbox) -> None:
    """One byte of the same length is another; ``size`` chooses which."""
    sandbox.faults.add(Fault("wrong_bytes", size=77))
    content, body = fetch(media_url(sandbox, sandbox.library[0])).content, body_of(sandbox.library[0])
    assert len(content) == len(body)
    assert [i for i in range(len(body)) if content[i] != body[i]] == [77]


def test_overlap_begins_before_the_asked_offset(sandbox: Sandbox) -> None:
    """The 206 is honest about beginning earlier: a client that only appends would corrupt the file."""
    sandbox.faults.add(Fault("overlap_206", size=10))
    reply, body = fetch(media_url(sandbox, sandbox.library[0]), Range="bytes=100-"), body_of(sandbox.library[0])
    assert reply.headers["Content-Range"] == f"bytes 90-{len(body) - 1}/{len(body)}"
    assert (reply.status_code, reply.content) == (206, body[90:])


@pytest.mark.parametrize(("kind", "status"), [("ignore_range", 200), ("range_416", 416)])
def test_range_faults_wait_for_a_range(sandbox: Sandbox, kind: str, status: int) -> None:
    """A fault of ranges is not spent on a request without one."""
    sandbox.faults.add(Fault(kind, times=1))
    url = media_url(sandbox, sandbox.library[0])
    replies = fetch(url), fetch(url, Range="bytes=9-"), fetch(url, Range="bytes=9-")
    assert [reply.status_code for reply in replies] == [200, status, 206]


def test_changing_etag_prevents_resuming(sandbox: Sandbox) -> None:
    """Each request has a new strong ETag, so If-Range gives the whole file."""
    sandbox.faults.add(Fault("etag_changes"))
    url = media_url(sandbox, sandbox.library[0])
    first = fetch(url)
    again = fetch(url, Range="bytes=9-", If_Range=first.headers["ETag"])
    assert again.status_code == 200
    assert again.headers["ETag"] != first.headers["ETag"]


def test_weak_etag_and_none(sandbox: Sandbox) -> None:
    """An ETag can be weak or missing, also together with a cut: modifiers do not take its turn."""
    url = media_url(sandbox, sandbox.library[0])
    sandbox.faults.add(Fault("weak_etag", times=1), Fault("no_etag", after=1), Fault("cut", size=5, times=1))
    first = raw(url)
    assert first.headers["ETag"].startswith('W/"')
    expect_cut(first, 5)
    assert "ETag" not in fetch(url).headers


def test_weak_etag_never_resumes(sandbox: Sandbox) -> None:
    """RFC 9110, 13.1.5: If-Range needs a strong ETag, so the very same weak one gives the whole file."""
    sandbox.faults.add(Fault("weak_etag"))
    url = media_url(sandbox, sandbox.library[0])
    assert fetch(url, Range="bytes=9-", If_Range=fetch(url).headers["ETag"]).status_code == 200


@pytest.mark.parametrize("status", [401, 403, 410])
def test_expired_lasts_until_renewed(sandbox: Sandbox, status: int) -> None:
    """An expired URL stays dead however often it is tried; one made later works."""
    sandbox.faults.add(Fault("expired", times=1, status=status))
    url = media_url(sandbox, sandbox.library[2])
    assert [fetch(url).status_code for _ in range(3)] == [status] * 3
    assert fetch(media_url(sandbox, sandbox.library[2])).status_code == 200
