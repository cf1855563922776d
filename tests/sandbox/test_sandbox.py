"""The sandbox against a plain HTTP client: what other tests rely on must itself be right."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import wave
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from genesys_sandbox import KINDS, SIGNATURE_PREFIX, TOKEN_PREFIX, Fault, Recording, Sandbox, SandboxOptions
from genesys_sandbox.hosts.control import control
from genesys_sandbox.recordings.filters import Filter, FilterError, parse_filter
from genesys_sandbox.settings.fault import PLATFORM

END = date(2026, 11, 21)
SMALL = SandboxOptions(days=3, per_day=8, min_bytes=20_000, max_bytes=60_000, end=END, rate_per_minute=0)
EVERYTHING = "(interactionDate >= '2026-01-01T00:00:00Z' AND interactionDate <= '2027-01-01T00:00:00Z')"
TIMEOUT_S = 10


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(SMALL) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.faults.clear()
    running.requests.clear()
    return running


def ask_token(sandbox: Sandbox, secret: str | None = None) -> requests.Response:
    return requests.post(
        f"{sandbox.login_base}/login/oauth2/token",
        auth=(sandbox.client_id, secret or sandbox.client_secret),
        data={"grant_type": "client_credentials"},
        timeout=TIMEOUT_S,
    )


def bearer(sandbox: Sandbox) -> dict[str, str]:
    return {"Authorization": f"Bearer {ask_token(sandbox).json()['access_token']}"}


def query(sandbox: Sandbox, headers: dict[str, str] | None = None, **body: Any) -> requests.Response:
    return requests.post(
        f"{sandbox.api_base}/api/v2/recording/interactions/query",
        headers=headers or bearer(sandbox),
        json={"filter": EVERYTHING, **body},
        timeout=TIMEOUT_S,
    )


def all_ids(sandbox: Sandbox, **body: Any) -> list[str]:
    """Page to the end, at most 20 times."""
    headers, ids = bearer(sandbox), []
    for _ in range(20):
        page = query(sandbox, headers, **body).json()
        ids += [entry["id"] for entry in page["results"]]
        if page["nextPageToken"] is None:
            return ids
        body["pageToken"] = page["nextPageToken"]
    raise AssertionError("the pages do not end")


def renew(sandbox: Sandbox, recording_id: str, headers: dict[str, str] | None = None) -> requests.Response:
    url = f"{sandbox.api_base}/api/v2/recording/interactions/{recording_id}"
    return requests.get(url, headers=headers or bearer(sandbox), timeout=TIMEOUT_S)


def media_url(sandbox: Sandbox, recording: Recording) -> str:
    return str(renew(sandbox, recording.id).json()["mediaUrl"])


def fetch(url: str, **headers: str) -> requests.Response:
    """One GET as a client should make it: no decoding asked for, redirects not followed."""
    sent = {"Accept-Encoding": "identity"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.get(url, headers=sent, timeout=TIMEOUT_S, allow_redirects=False)


def raw(url: str, **headers: str) -> HTTPResponse:
    """A response whose body is still on the socket."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    connection.request(
        "GET", f"{parts.path}?{parts.query}", headers={k.replace("_", "-"): v for k, v in headers.items()}
    )
    return connection.getresponse()


def body_of(recording: Recording) -> bytes:
    return recording.path.read_bytes()


# --- OAuth and access ---


def test_token_is_issued_for_client_credentials(sandbox: Sandbox) -> None:
    """The right secret gives a bearer token with its life and scope."""
    reply = ask_token(sandbox).json()
    assert reply["token_type"] == "bearer"
    assert (reply["expires_in"], reply["scope"]) == (3600, "recording:read interaction:read")
    assert reply["access_token"].startswith(TOKEN_PREFIX)


def test_wrong_secret_gets_401(sandbox: Sandbox) -> None:
    """A wrong secret gives no token but 401 invalid_client."""
    reply = ask_token(sandbox, secret="wrong")
    assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")


def test_other_grant_is_refused(sandbox: Sandbox) -> None:
    """Only client_credentials is a grant here."""
    url, auth = f"{sandbox.login_base}/login/oauth2/token", (sandbox.client_id, sandbox.client_secret)
    reply = requests.post(url, auth=auth, data={"grant_type": "password"}, timeout=TIMEOUT_S)
    assert reply.status_code == 400


@pytest.mark.parametrize("header", ["Bearer nonsense", "Basic nonsense", ""])
def test_unknown_token_gets_401(sandbox: Sandbox, header: str) -> None:
    """The API answers only tokens that it issued."""
    reply = query(sandbox, {"Authorization": header})
    assert (reply.status_code, reply.json()["status"]) == (401, 401)


def test_token_expires() -> None:
    """A token older than its life is refused."""
    with Sandbox(SandboxOptions(per_day=0, token_life_s=0.05)) as sandbox:
        headers = bearer(sandbox)
        time.sleep(0.06)
        assert query(sandbox, headers).status_code == 401


def test_rate_limit_is_per_token() -> None:
    """Request 4 of a limit of 3 gets 429 with Retry-After; another token has a minute of its own."""
    with Sandbox(SandboxOptions(per_day=0, rate_per_minute=3)) as sandbox:
        headers = bearer(sandbox)
        replies = [query(sandbox, headers) for _ in range(4)]
        assert [reply.status_code for reply in replies] == [200, 200, 200, 429]
        assert 1 <= int(replies[-1].headers["Retry-After"]) <= 60
        assert query(sandbox).status_code == 200


def test_narrow_scope_is_forbidden() -> None:
    """A token without interaction:read is issued, but the API answers 403 and names what is missing."""
    with Sandbox(SandboxOptions(per_day=0, scope="recording:read")) as sandbox:
        reply = query(sandbox)
    assert (reply.status_code, reply.json()["code"]) == (403, "missing.permissions")
    assert "interaction:read" in reply.json()["message"]


def test_empty_scope_is_left_out() -> None:
    """With no scope configured the token reply has none, and the API asks for none."""
    with Sandbox(SandboxOptions(per_day=0, scope="")) as sandbox:
        assert "scope" not in ask_token(sandbox).json()
        assert query(sandbox).status_code == 200


# --- the query ---


def test_pages_cover_all_once_newest_first(sandbox: Sandbox) -> None:
    """Paging gives every recording exactly once, by default newest first."""
    assert all_ids(sandbox, limit=5) == [recording.id for recording in sandbox.library][::-1]


def test_sort_ascending(sandbox: Sandbox) -> None:
    """The other order is oldest first."""
    assert all_ids(sandbox, limit=100, sortBy="interactionDate ASC") == [r.id for r in sandbox.library]


def test_filter_by_ids(sandbox: Sandbox) -> None:
    """Ids that exist are found, in any order and once; others are silently absent."""
    first, second = sandbox.library[3].id, sandbox.library[7].id
    found = all_ids(sandbox, filter=f"(interactionId IN ('{second}','no-such','{first}', '{first}'))")
    assert sorted(found) == sorted([first, second])


def test_filter_by_dates_includes_both_ends(sandbox: Sandbox) -> None:
    """A range from one recording's millisecond to another's holds both, and all between."""
    low, high = (sandbox.library[i].date.isoformat() for i in (5, 9))
    found = all_ids(sandbox, filter=f"(interactionDate >= '{low}' AND interactionDate <= '{high}')")
    assert set(found) == {sandbox.library[i].id for i in range(5, 10)}


def test_filter_by_ids_and_dates(sandbox: Sandbox) -> None:
    """Both clauses must hold, in either order."""
    low, high = (sandbox.library[i].date.isoformat() for i in (5, 9))
    dates = f"(interactionDate >= '{low}' AND interactionDate <= '{high}')"
    ids = f"(interactionId IN ('{sandbox.library[4].id}','{sandbox.library[6].id}'))"
    for text in (f"{dates} AND {ids}", f"{ids} AND {dates}"):
        assert all_ids(sandbox, filter=text) == [sandbox.library[6].id]


def test_doubled_quote_is_one_quote() -> None:
    """Inside a value '' means one quote, so no value ends the list early."""
    assert parse_filter("(interactionId IN ('o''clock','''', 'a b'))") == Filter(ids=("o'clock", "'", "a b"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "()",
        "interactionId IN ('a')",
        "(interactionId IN ())",
        "(interactionId IN ('a',))",
        "(interactionId IN ('a' 'b'))",
        "(interactionId IN ('a'))(interactionId IN ('b'))",
        "(interactionId IN ('a')) AND (interactionId IN ('b'))",
        "(interactionId IN ('a')) OR (interactionId IN ('b'))",
        "(interactionId IN ('a')) AND",
        "(interactionId IN (a))",
        "(interactionId IN ('a'b'))",
        "(interactionId IN ('a)",
        "(interactionId = 'a')",
        "(agentId IN ('a'))",
        "(interactionDate >= '2026-11-21T00:00:00Z')",
        "(interactionDate > '2026-11-21T00:00:00Z' AND interactionDate < '2026-11-22T00:00:00Z')",
        "(interactionDate >= '2026-11-21' AND interactionDate <= '2026-11-22')",
        "(interactionDate >= '2026-11-21T00:00:00' AND interactionDate <= '2026-11-22T00:00:00')",
        "(interactionDate >= '2026-13-21T00:00:00Z' AND interactionDate <= '2027-11-22T00:00:00Z')",
        "(interactionDate >= '2026-11-22T00:00:00Z' AND interactionDate <= '2026-11-21T00:00:00Z')",
        f"(interactionId IN ({','.join(repr(str(i)) for i in range(51))}))",
    ],
)
def test_filter_outside_the_grammar_is_refused(text: str) -> None:
    """What the grammar does not have is an error, never a guess."""
    with pytest.raises(FilterError):
        parse_filter(text)


@pytest.mark.parametrize(
    "body",
    [
        {"filter": "nonsense"},
        {"filter": None},
        {"limit": 0},
        {"limit": 101},
        {"limit": "5"},
        {"limit": True},
        {"sortBy": "id"},
        {"pageToken": None},
        {"pageToken": "nonsense"},
        {"pageSize": 5},
    ],
)
def test_malformed_query_gets_400(sandbox: Sandbox, body: dict[str, Any]) -> None:
    """Every member of the body is checked, and unknown ones are refused."""
    reply = query(sandbox, **body)
    assert (reply.status_code, reply.json()["code"]) == (400, "bad.request")


def test_page_token_belongs_to_its_query(sandbox: Sandbox) -> None:
    """A page token does not continue another filter or order."""
    token = query(sandbox, limit=2).json()["nextPageToken"]
    assert query(sandbox, limit=2, pageToken=token).status_code == 200
    assert query(sandbox, limit=2, pageToken=token, sortBy="interactionDate ASC").status_code == 400


def test_query_body_that_is_no_json_gets_400(sandbox: Sandbox) -> None:
    """A body that is not JSON is the client's error, not a crash."""
    url = f"{sandbox.api_base}/api/v2/recording/interactions/query"
    assert requests.post(url, headers=bearer(sandbox), data=b"{", timeout=TIMEOUT_S).status_code == 400


def test_entry_has_every_field(sandbox: Sandbox) -> None:
    """An entry names the recording's facts, in ISO 8601 and hex."""
    recording = sandbox.library[0]
    entry = renew(sandbox, recording.id).json()
    assert entry["id"] == recording.id
    assert datetime.fromisoformat(entry["interactionDate"]) == recording.date
    assert entry["checksum"].lower() == recording.sha256
    known = "agentId agentName queueId queueName ani dnis direction mediaType durationMs division wrapUpCode language"
    assert all(entry[name] is not None for name in known.split())


def test_checksums_come_in_both_cases(sandbox: Sandbox) -> None:
    """Some checksums are in capitals, for a client must take both."""
    checksums = [recording.fields["checksum"] for recording in sandbox.library]
    assert any(c.isupper() for c in checksums)
    assert any(c.islower() for c in checksums)


def test_checksums_can_be_missing() -> None:
    """Every n-th recording has no checksum when that is asked for."""
    with Sandbox(SandboxOptions(days=1, per_day=4, min_bytes=50, max_bytes=50, checksum_missing_every=2)) as sandbox:
        assert [recording.fields["checksum"] is None for recording in sandbox.library] == [False, True, False, True]


def test_unknown_interaction_gets_404(sandbox: Sandbox) -> None:
    """An id that does not exist cannot be renewed."""
    assert renew(sandbox, "no-such").json()["code"] == "not.found"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/login/oauth2/token", 405),
        ("GET", "/", 404),
        ("PUT", "/api/v2/recording/interactions/x", 405),
        ("GET", "/sandbox/x", 404),
    ],
)
def test_other_paths_and_methods_are_refused(sandbox: Sandbox, method: str, path: str, status: int) -> None:
    """The API has three endpoints and a control plane, no more."""
    assert requests.request(method, sandbox.api_base + path, timeout=TIMEOUT_S).status_code == status


# --- media ---


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
    """The same strong ETag gives 206; another one, a weak one or a date gives the whole."""
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
    """As S3 does, the media host refuses an Authorization header beside a signature: a leak shows."""
    url = media_url(sandbox, sandbox.library[0])
    assert fetch(url, Authorization="Bearer x").status_code == 400


def test_media_has_a_host_of_its_own(sandbox: Sandbox) -> None:
    """Media URLs point to the second port, which knows no API; and the API port has no media."""
    assert sandbox.media_base != sandbox.api_base
    url = media_url(sandbox, sandbox.library[0])
    assert url.startswith(f"{sandbox.media_base}/media/{sandbox.library[0].id}.wav?")
    assert fetch(url.replace(sandbox.media_base, sandbox.api_base)).status_code == 404
    assert requests.post(f"{sandbox.media_base}/login/oauth2/token", timeout=TIMEOUT_S).status_code == 405


# --- the recordings ---


def test_recordings_are_wav_of_the_stated_duration(sandbox: Sandbox) -> None:
    """Every recording is 8 kHz, 16 bit, mono, as long as durationMs says, and not silent."""
    for recording in sandbox.library:
        with wave.open(str(recording.path), "rb") as file:
            assert file.getparams()[:3] == (1, 2, 8000)
            assert abs(file.getnframes() / 8 - recording.fields["durationMs"]) <= 1
            assert len(set(file.readframes(2000))) > 16


def test_sizes_and_dates_keep_to_the_options(sandbox: Sandbox) -> None:
    """Recordings lie on the days before ``end``, between the smallest and the largest size."""
    days = [recording.date.date() for recording in sandbox.library]
    assert days == sorted(END - timedelta(days=back) for back in (1, 2, 3) for _ in range(8))
    assert all(19_990 <= recording.size_bytes <= 60_000 for recording in sandbox.library)


def truth(options: SandboxOptions) -> dict[str, str]:
    with Sandbox(options) as sandbox:
        return {recording.id: recording.sha256 for recording in sandbox.library}


def test_same_seed_same_recordings(sandbox: Sandbox) -> None:
    """The seed alone decides ids and bytes; another seed shares none."""
    assert truth(SMALL) == {recording.id: recording.sha256 for recording in sandbox.library}
    other = truth(SandboxOptions(seed=2, days=3, per_day=8, min_bytes=20_000, max_bytes=60_000, end=END))
    assert not truth(SMALL).items() & other.items()


def test_next_day_keeps_the_days_in_common() -> None:
    """Started a day later, the sandbox offers the same calls for the days that both starts cover."""
    today, tomorrow = (
        truth(SandboxOptions(days=2, per_day=2, min_bytes=900, max_bytes=999, end=day))
        for day in (END, END + timedelta(days=1))
    )
    assert len(today.items() & tomorrow.items()) == 2


def test_state_dir_is_taken_up_again(tmp_path: Path) -> None:
    """A second start with the same folder writes nothing, and repairs a file that is cut short."""
    options = SandboxOptions(days=1, per_day=3, min_bytes=500, max_bytes=900, state_dir=tmp_path, end=END)
    first = truth(options)
    kept, cut, _ = sorted(tmp_path.iterdir())
    before = kept.stat().st_mtime_ns
    cut.write_bytes(b"RIFF")
    assert truth(options) == first
    assert kept.stat().st_mtime_ns == before
    assert cut.stat().st_size > 4


def test_media_dir_is_served(tmp_path: Path) -> None:
    """Each audio file of a folder is one recording with a safe, unique id; other files are left out."""
    for name in ("call one.mp3", "call-one.ogg", "..hidden.m4a", "notes.txt", "ünï.WAV"):
        (tmp_path / name).write_bytes(name.encode())
    with Sandbox(SandboxOptions(media_dir=tmp_path)) as sandbox:
        assert {r.id: r.extension for r in sandbox.library} == {
            "call-one": "mp3",
            "call-one-2": "ogg",
            "hidden": "m4a",
            "n-": "wav",
        }
        found = sandbox.library.get("call-one")
        assert found is not None
        reply = fetch(media_url(sandbox, found))
        assert (reply.content, reply.headers["Content-Type"]) == (b"call one.mp3", "audio/mpeg")
        assert hashlib.sha256(reply.content).hexdigest() == found.sha256


def test_media_dir_without_audio_is_an_error(tmp_path: Path) -> None:
    """An empty folder is a mistake to report, not a cloud without calls."""
    with pytest.raises(ValueError, match="no audio file"):
        Sandbox(SandboxOptions(media_dir=tmp_path))


@pytest.mark.parametrize("wrong", [{"min_bytes": 44}, {"min_bytes": 9, "max_bytes": 8}, {"faults": "x"}, {"days": 0}])
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    """Contradictions fail before anything is started."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SandboxOptions(**wrong)


# --- faults ---

_CHANGING = re.compile(r"sbxtoken[\w-]+|sbxsignature\w+|expires=[\d.]+|(?<=\d\.)[0-9a-f]{8}(?=\.)")
_WAITS = {"hang", "slow", "trickle"}


def outcome(sandbox: Sandbox, endpoint: str, headers: dict[str, str]) -> object:
    """What a client sees of one request: status, framing, the first 200 kB, and how the body ended."""
    recording = sandbox.library[0]
    if endpoint == "media":
        url = f"{sandbox.media_base}/media/{recording.id}.wav?{urlsplit(media_url(sandbox, recording)).query}"
        headers = {"Range": "bytes=5000-"}
    elif endpoint == "token":
        url = f"{sandbox.login_base}/login/oauth2/token"
    else:
        name = "query" if endpoint == "query" else recording.id
        url = f"{sandbox.api_base}/api/v2/recording/interactions/{name}"
    bodies = {
        "token": b"grant_type=client_credentials",
        "query": json.dumps({"filter": EVERYTHING, "limit": 5}).encode(),
    }
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    try:
        method = "POST" if endpoint in bodies else "GET"
        connection.request(method, f"{parts.path}?{parts.query}", bodies.get(endpoint), headers)
        reply = connection.getresponse()
        seen = [reply.status] + [reply.headers[n] for n in ("Content-Type", "Content-Encoding", "ETag", "Location")]
        framing = [reply.headers[n] for n in ("Content-Range", "Transfer-Encoding", "Connection")]
        missing = int(reply.headers["Content-Length"] or -1)
        body = reply.read(200_000)
        text = _CHANGING.sub("", body.decode("latin-1"))
        return seen, framing, text if endpoint != "media" else body, missing > len(body), missing < 0
    except OSError as error:
        return type(error)
    finally:
        connection.close()


@pytest.mark.parametrize(  # at the platform's endpoints whole runs meet them: test_platform_faults
    ("kind", "endpoint"), [(kind, where) for kind, places in KINDS.items() for where in places if where not in PLATFORM]
)
def test_every_fault_shows_and_ends(sandbox: Sandbox, kind: str, endpoint: str) -> None:
    """Each kind changes what the client sees at each of its endpoints, as often as asked, and not after that."""
    basic = "Basic " + b64encode(f"{sandbox.client_id}:{sandbox.client_secret}".encode()).decode()
    headers = {"Authorization": basic} if endpoint == "token" else bearer(sandbox)
    if endpoint == "media":
        fetch(media_url(sandbox, sandbox.library[0]))
    clean = outcome(sandbox, endpoint, headers)
    piece = {"token": 100, "query": 2000, "renew": 400, "media": 10_000}[endpoint]
    size = {"trickle": piece, "cut": 10, "overlap_206": 10}.get(kind)
    values = {"id": "other", "scope": "other"} if kind == "set_fields" else {}
    sandbox.faults.add(Fault(kind, endpoint, times=1, seconds=0.1, size=size, values=values))
    start = time.monotonic()
    faulty = outcome(sandbox, endpoint, headers)
    assert time.monotonic() - start >= 0.1 if kind in _WAITS else faulty != clean
    assert sandbox.faults.hits[kind]
    again = bearer(sandbox) if kind == "token_expired" else headers
    assert outcome(sandbox, endpoint, again) == clean


@pytest.mark.parametrize("size", [0, 1, 1000, 19_999])
def test_cut_delivers_exactly_so_many_bytes(sandbox: Sandbox, size: int) -> None:
    """A cut announces the whole, sends the first n bytes, and closes; every boundary can be tried."""
    sandbox.faults.add(Fault("cut", size=size))
    reply = raw(media_url(sandbox, sandbox.library[0]))
    with pytest.raises(IncompleteRead) as caught:
        reply.read()
    assert caught.value.partial == body_of(sandbox.library[0])[:size]


def test_reset_comes_before_the_first_byte(sandbox: Sandbox) -> None:
    """A reset is a connection error without a status line, not an orderly close."""
    sandbox.faults.add(Fault("reset"))
    url = media_url(sandbox, sandbox.library[0])
    with pytest.raises(ConnectionResetError):
        raw(url)


def test_reset_midway_breaks_the_body(sandbox: Sandbox) -> None:
    """Half of the body arrives, then the connection breaks."""
    sandbox.faults.add(Fault("reset_midway"))
    reply = raw(media_url(sandbox, sandbox.library[0]))
    with pytest.raises(ConnectionResetError):
        reply.read()


@pytest.mark.parametrize("error", [-100, 100])
def test_wrong_length_lies_about_the_body(sandbox: Sandbox, error: int) -> None:
    """Content-Length is larger or smaller than what follows; the body itself is whole."""
    sandbox.faults.add(Fault("wrong_length", size=error))
    reply = raw(media_url(sandbox, sandbox.library[0]))
    body = body_of(sandbox.library[0])
    assert int(reply.headers["Content-Length"]) == len(body) + error
    assert reply.read(len(body)) == body[: len(body) + min(error, 0)]


@pytest.mark.parametrize(("kind", "header"), [("no_length", "Connection"), ("chunked", "Transfer-Encoding")])
def test_body_without_length_is_whole(sandbox: Sandbox, kind: str, header: str) -> None:
    """Close-delimited and chunked bodies have no Content-Length, but all bytes."""
    sandbox.faults.add(Fault(kind))
    reply = fetch(media_url(sandbox, sandbox.library[0]))
    assert "Content-Length" not in reply.headers
    assert header in reply.headers
    assert reply.content == body_of(sandbox.library[0])


def test_wrong_bytes_differ_in_one_byte(sandbox: Sandbox) -> None:
    """One byte of the same length is another; ``size`` chooses which."""
    sandbox.faults.add(Fault("wrong_bytes", size=77))
    content, body = fetch(media_url(sandbox, sandbox.library[0])).content, body_of(sandbox.library[0])
    assert len(content) == len(body)
    assert [i for i in range(len(body)) if content[i] != body[i]] == [77]


def test_gzip_bomb_is_small_on_the_wire_only(sandbox: Sandbox) -> None:
    """About 48 KB with Content-Encoding: gzip become 50 MB when a client decodes them."""
    sandbox.faults.add(Fault("gzip_bomb"))
    reply = raw(media_url(sandbox, sandbox.library[0]))
    packed = reply.read()
    assert reply.headers["Content-Encoding"] == "gzip"
    assert len(packed) < 60_000
    assert len(gzip.decompress(packed)) > 50 * 2**20


def test_endless_body_goes_on(sandbox: Sandbox) -> None:
    """The body does not end after the recording's own bytes."""
    sandbox.faults.add(Fault("endless"))
    reply = raw(media_url(sandbox, sandbox.library[0]))
    assert len(reply.read(5_000_000)) == 5_000_000
    reply.close()


@pytest.mark.parametrize(
    ("kind", "start"), [("html_200", b"<!DOCTYPE html"), ("xml_200", b"<?xml"), ("json_200", b"{"), ("empty", b"")]
)
def test_wrong_page_has_status_200(sandbox: Sandbox, kind: str, start: bytes) -> None:
    """An error page, or nothing at all, comes as success."""
    sandbox.faults.add(Fault(kind))
    reply = fetch(media_url(sandbox, sandbox.library[0]), Range="bytes=100-")
    assert reply.status_code == 200
    assert reply.content.startswith(start) if start else reply.content == b""


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


def expect_cut(reply: HTTPResponse, size: int) -> None:
    with pytest.raises(IncompleteRead) as caught:
        reply.read()
    assert len(caught.value.partial) == size


@pytest.mark.parametrize("status", [401, 403, 410])
def test_expired_lasts_until_renewed(sandbox: Sandbox, status: int) -> None:
    """An expired URL stays dead however often it is tried; one made later works."""
    sandbox.faults.add(Fault("expired", times=1, status=status))
    url = media_url(sandbox, sandbox.library[2])
    assert [fetch(url).status_code for _ in range(3)] == [status] * 3
    assert fetch(media_url(sandbox, sandbox.library[2])).status_code == 200


def test_redirects(sandbox: Sandbox) -> None:
    """A redirect goes wherever the test says; a loop leads to itself."""
    url = media_url(sandbox, sandbox.library[0])
    sandbox.faults.add(Fault("redirect", location="http://169.254.169.254/", times=1), Fault("redirect_loop"))
    assert fetch(url).headers["Location"] == "http://169.254.169.254/"
    assert fetch(url).headers["Location"] in url


@pytest.mark.parametrize("endpoint", ["media", "query"])
def test_status_with_retry_after(sandbox: Sandbox, endpoint: str) -> None:
    """Retry-After comes as seconds, as an HTTP date not before that time, or not at all."""

    def ask() -> requests.Response:
        return query(sandbox) if endpoint == "query" else fetch(media_url(sandbox, sandbox.library[0]))

    sandbox.faults.add(
        Fault("status", endpoint, times=1, status=429, retry_after_s=2),
        Fault("status", endpoint, times=1, retry_after_s=2, retry_after_date=True),
        Fault("status", endpoint, times=1, status=500),
    )
    seconds, moment, bare = ask(), ask(), ask()
    assert (seconds.status_code, seconds.headers["Retry-After"]) == (429, "2")
    wait_s = (parsedate_to_datetime(moment.headers["Retry-After"]) - datetime.now(UTC)).total_seconds()
    assert 1 <= wait_s <= 3
    assert (bare.status_code, "Retry-After" in bare.headers) == (500, False)


def test_fault_hits_the_recordings_it_names(sandbox: Sandbox) -> None:
    """A glob of ids limits a fault; ``times`` counts for each recording."""
    hit, spared = sandbox.library[0], sandbox.library[1]
    sandbox.faults.add(Fault("status", recording=f"{hit.id[:8]}*", times=2))
    for recording, statuses in ((hit, [503, 503, 200]), (spared, [200] * 3)):
        url = media_url(sandbox, recording)
        assert [fetch(url).status_code for _ in range(3)] == statuses


def test_fault_hits_every_nth_recording(sandbox: Sandbox) -> None:
    """``every`` picks by index and seed: the same ones each time."""
    sandbox.faults.add(Fault("status", every=7))
    failed = [r.index for r in sandbox.library if fetch(media_url(sandbox, r)).status_code == 503]
    assert failed == [6, 13, 20]


def test_fault_waits_for_its_turn(sandbox: Sandbox) -> None:
    """``after`` lets requests pass first: the second page fails, the first and third do not."""
    sandbox.faults.add(Fault("status", "query", after=1, times=1))
    headers = bearer(sandbox)
    assert [query(sandbox, headers).status_code for _ in range(3)] == [200, 503, 200]


def test_fault_that_does_not_exist_is_refused() -> None:
    """A mistyped kind, endpoint or number is an error at once, not a fault that never hits."""
    for wrong in ({"kind": "x"}, {"kind": "cut", "endpoint": "x"}, {"kind": "cut", "every": 0}, {"kind": "set_fields"}):
        with pytest.raises(ValueError, match=r"unknown|occurs|every|set_fields"):
            Fault(**wrong)


def test_malformed_json_is_cut_but_whole_on_the_wire(sandbox: Sandbox) -> None:
    """The body is as long as announced and still no JSON."""
    sandbox.faults.add(Fault("malformed_json", "query"))
    reply = query(sandbox)
    assert (reply.status_code, len(reply.content)) == (200, int(reply.headers["Content-Length"]))
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|delimiter"):
        reply.json()


def test_fields_of_one_entry_can_be_anything(sandbox: Sandbox) -> None:
    """Fields of single entries are replaced, dropped or of a wrong type, several faults in one page."""
    first, second, third = (sandbox.library[i].id for i in (0, 1, 2))
    sandbox.faults.add(
        Fault("set_fields", "query", recording=first, values={"id": "../../etc", "interactionDate": None}),
        Fault("missing_fields", "query", recording=second, name="mediaUrl"),
        Fault("wrong_types", "query", recording=third, name="checksum"),
    )
    one, two, three, four = query(sandbox, limit=4, sortBy="interactionDate ASC").json()["results"]
    assert (one["id"], one["interactionDate"]) == ("../../etc", None)
    assert "mediaUrl" not in two
    assert three["checksum"] == 12345
    assert datetime.fromisoformat(four["interactionDate"]) == sandbox.library[3].date


def test_duplicates_lose_nothing(sandbox: Sandbox) -> None:
    """Entries come twice, and the last of a page again on the next; none is missing."""
    sandbox.faults.add(Fault("duplicate_entries", "query"))
    ids = all_ids(sandbox, limit=10)
    assert len(ids) == 2 * len(sandbox.library) + 2
    assert set(ids) == {recording.id for recording in sandbox.library}


def test_reordered_pages_lose_nothing(sandbox: Sandbox) -> None:
    """Pages in no order of dates still cover everything once."""
    sandbox.faults.add(Fault("reordered", "query"))
    ids, dates = all_ids(sandbox, limit=5), [recording.id for recording in sandbox.library]
    assert ids not in (dates, dates[::-1])
    assert sorted(ids) == sorted(dates)


def test_page_token_that_repeats(sandbox: Sandbox) -> None:
    """The next token of page two is page two's own."""
    sandbox.faults.add(Fault("repeat_page_token", "query", after=1))
    token = query(sandbox, limit=5).json()["nextPageToken"]
    assert query(sandbox, limit=5, pageToken=token).json()["nextPageToken"] == token


def test_empty_page_goes_on(sandbox: Sandbox) -> None:
    """An empty page with a fresh token comes in between, and nothing is lost after it."""
    sandbox.faults.add(Fault("empty_page_with_token", "query", times=1))
    page = query(sandbox, limit=100).json()
    assert page["results"] == []
    after = query(sandbox, limit=100, pageToken=page["nextPageToken"]).json()
    assert len(after["results"]) == len(sandbox.library)


def test_token_expires_mid_run(sandbox: Sandbox) -> None:
    """401 comes once and the old token stays dead; a new one works."""
    headers = bearer(sandbox)
    sandbox.faults.add(Fault("token_expired", "query", after=1, times=1))
    assert [query(sandbox, headers).status_code for _ in range(3)] == [200, 401, 401]
    assert query(sandbox).status_code == 200


def test_token_reply_can_lack_a_scope(sandbox: Sandbox) -> None:
    """The scope fault issues a token for less than what is needed, and says so."""
    sandbox.faults.add(Fault("scope", "token"))
    assert ask_token(sandbox).json()["scope"] == "recording:read"


def test_forbidden_has_genesys_code(sandbox: Sandbox) -> None:
    """403 names the missing permission in Genesys' own shape."""
    sandbox.faults.add(Fault("forbidden", "query"))
    reply = query(sandbox)
    assert (reply.status_code, reply.json()["code"]) == (403, "missing.permissions")
    assert "recording:recording:view" in reply.json()["message"]


def test_transient_preset_is_overcome() -> None:
    """With the preset some first attempts fail, in several ways; a client that retries and renews gets all."""
    options = SandboxOptions(days=1, per_day=40, min_bytes=900, max_bytes=999, faults="transient", rate_per_minute=0)
    with Sandbox(options) as sandbox:
        assert [query(sandbox).status_code for _ in range(2)] == [429, 200]
        assert all(patient(sandbox, recording) == body_of(recording) for recording in sandbox.library)
        assert set(sandbox.faults.hits) == {"reset_midway", "status", "expired", "reset"}


def patient(sandbox: Sandbox, recording: Recording) -> bytes | None:
    for _ in range(5):
        try:
            reply = fetch(media_url(sandbox, recording))
        except requests.RequestException:
            continue
        if reply.status_code == 200:
            return reply.content
    return None


# --- observation and control ---


def test_requests_are_recorded_without_secrets(sandbox: Sandbox) -> None:
    """Each request is kept with kind, host, path, headers, status and body bytes, but never the query string."""
    url = media_url(sandbox, sandbox.library[0])
    fetch(url, Range="bytes=0-99")
    token, renewal, media = sandbox.requests
    assert [request.kind for request in (token, renewal, media)] == ["token", "renew", "media"]
    assert (media.method, media.status, media.bytes_sent) == ("GET", 206, 100)
    assert (media.host, media.path) == (urlsplit(url).netloc, f"/media/{sandbox.library[0].id}.wav")
    assert media.headers["Range"] == "bytes=0-99"


def test_statistics_count_what_was_sent(sandbox: Sandbox) -> None:
    """Counters by endpoint, and media bytes as they went over the wire, cuts included."""
    size = sandbox.library[0].size_bytes
    sandbox.faults.add(Fault("cut", size=1000, times=1))
    url = media_url(sandbox, sandbox.library[0])
    expect_cut(raw(url), 1000)
    fetch(url)
    query(sandbox)
    expected = {"token": 2, "query": 1, "renew": 1, "media": 2, "media_bytes": size + 1000}
    assert sandbox.requests.statistics() == expected


def test_bytes_that_never_left_do_not_count() -> None:
    """When a client goes away in the middle, what was not sent is taken back from the counters."""
    options = SandboxOptions(days=1, per_day=1, min_bytes=20_000_000, max_bytes=20_000_000)
    with Sandbox(options) as sandbox, socket.socket() as client:
        url = urlsplit(media_url(sandbox, sandbox.library[0]))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((url.hostname, url.port))
        client.sendall(f"GET {url.path}?{url.query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
        client.close()
        deadline = time.monotonic() + 5
        while not 0 < sandbox.requests.statistics()["media_bytes"] < 8 * 2**20:
            assert time.monotonic() < deadline
            time.sleep(0.005)


def test_control_plane_is_for_this_machine(sandbox: Sandbox) -> None:
    """A caller from another address gets 403, for the control plane has no credentials."""
    cloud = sandbox._cloud  # no other machine is at hand to call from
    assert control(cloud, "GET", "/sandbox/statistics", b"", caller="192.0.2.1").status == 403
    assert control(cloud, "GET", "/sandbox/statistics", b"", caller="127.0.0.1").status == 200


def test_control_plane_over_http(sandbox: Sandbox) -> None:
    """Another process can switch faults on and off, read the counters and the truth; none of that is counted."""
    base = f"{sandbox.api_base}/sandbox"
    fault: dict[str, str | int] = {"kind": "status", "endpoint": "media", "status": 500}
    assert requests.post(f"{base}/faults", json=[fault], timeout=TIMEOUT_S).status_code == 201
    url = media_url(sandbox, sandbox.library[0])
    assert fetch(url).status_code == 500
    assert requests.delete(f"{base}/faults", timeout=TIMEOUT_S).status_code == 204
    assert fetch(url).status_code == 200
    statistics = requests.get(f"{base}/statistics", timeout=TIMEOUT_S).json()
    assert (statistics["token"], statistics["renew"], statistics["media"]) == (1, 1, 2)
    truth_told = requests.get(f"{base}/recordings", timeout=TIMEOUT_S).json()
    assert {entry["id"]: entry["sha256"] for entry in truth_told} == {r.id: r.sha256 for r in sandbox.library}


@pytest.mark.parametrize(
    "wrong", ["[", "3", '{"kind": "x"}', '{"kind": "cut", "x": 1}', '{"kind": "cut", "times": "1"}']
)
def test_control_plane_refuses_unknown_faults(sandbox: Sandbox, wrong: str) -> None:
    """A fault that cannot be made gets 400."""
    assert requests.post(f"{sandbox.api_base}/sandbox/faults", data=wrong, timeout=TIMEOUT_S).status_code == 400


def test_close_ends_waits_and_connections() -> None:
    """Leaving the sandbox does not wait for a hanging reply, and frees the port."""
    before = set(threading.enumerate())
    sandbox = Sandbox(SandboxOptions(per_day=0)).start()
    sandbox.faults.add(Fault("hang", "query", seconds=60))
    parts, headers = urlsplit(sandbox.api_base), bearer(sandbox)
    address = (parts.hostname or "", parts.port or 0)
    idle = socket.create_connection(address, timeout=TIMEOUT_S)
    waiting = HTTPConnection(*address, timeout=TIMEOUT_S)
    waiting.request("POST", "/api/v2/recording/interactions/query", json.dumps({"filter": EVERYTHING}), headers)
    while not sandbox.requests.counts["query"]:
        time.sleep(0.005)
    start = time.monotonic()
    sandbox.close()
    assert idle.recv(1) == b""
    with suppress(OSError, HTTPException):
        waiting.getresponse()
    while set(threading.enumerate()) - before:
        assert time.monotonic() - start < 5
        time.sleep(0.005)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=TIMEOUT_S)
    sandbox.close()  # again does no harm


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_announces_itself_and_ends_on_a_signal(number: signal.Signals) -> None:
    """The command prints addresses and an Airflow connection that work, and ends with status 0."""
    flags = ["--days", "1", "--per-day", "2", "--max-bytes", "100000", "--client-secret", "s3cret"]
    command = [sys.executable, "-m", "genesys_sandbox", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        addresses, connection = process.stdout.readline(), process.stdout.readline()
        name, _, value = connection.strip().partition("=")
        found = json.loads(value.strip("'"))
        assert name == "AIRFLOW_CONN_GENESYS_CLOUD_DEFAULT"
        assert found["extra"]["api_base"] in addresses
        token = requests.post(
            f"{found['extra']['login_base']}/login/oauth2/token",
            auth=(found["login"], found["password"]),
            data={"grant_type": "client_credentials"},
            timeout=TIMEOUT_S,
        )
        assert token.status_code == 200
        process.send_signal(number)
        assert process.wait(TIMEOUT_S) == 0


def test_command_refuses_nonsense() -> None:
    """Options that contradict each other end the command with status 2 and the reason."""
    command = [sys.executable, "-m", "genesys_sandbox", "--days", "0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert (ended.returncode, "days must be at least 1" in ended.stderr) == (2, True)
