"""Faults of the API, of the media host and of dates, and how a run that meets each must end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from genesys_sandbox import Fault

A_DAY = timedelta(days=1)
BARE = 3  # the recording without a checksum


@dataclass(frozen=True)
class Case:
    """A fault, and how a run that meets it must end.

    In a fault, recording ``#n`` is the n-th of the sandbox, and a location ``elsewhere`` a port that nobody permitted.
    ``failed`` are recordings that cannot be archived: status and message. ``stopped`` is what a run that cannot go on
    at all tells. ``waited_s`` is the least that the longest pause must last, ``cost`` the most bytes that may come
    over the wire, as a multiple of all recordings' bytes.
    """

    family: str
    name: str
    faults: tuple[Fault, ...]
    failed: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    stopped: str = ""
    waited_s: float = 0
    undated: bool = False
    cost: float | None = None


def api(name: str, *faults: Fault, **expected: object) -> Case:
    return Case("API", name, faults, **expected)  # type: ignore[arg-type]  # one line per case matters more here


def media(name: str, *faults: Fault, **expected: object) -> Case:
    return Case("media", name, faults, **expected)  # type: ignore[arg-type]  # one line per case matters more here


def lost(*numbers: int, why: str, status: str = "failed") -> Mapping[int, tuple[str, str]]:
    """These recordings cannot be archived."""
    return dict.fromkeys(numbers, (status, why))


API = [
    api("429 with Retry-After", Fault("status", "query", times=1, status=429, retry_after_s=7), waited_s=7),
    api(
        "429 with a date in Retry-After",
        Fault("status", "query", times=1, status=429, retry_after_s=60, retry_after_date=True),
        waited_s=59,
    ),
    api("429 without Retry-After", Fault("status", "query", times=2, status=429), waited_s=1),
    api("429 at the token", Fault("status", "token", times=1, status=429, retry_after_s=7), waited_s=7),
    *(
        api(f"{code} twice", Fault("status", "query", times=2, status=code), waited_s=1)
        for code in (500, 502, 503, 504)
    ),
    api("503 at the token", Fault("status", "token", times=2)),
    api("503 for good", Fault("status", "query"), stopped="503.*not listed to its end"),
    api("503 from page two on", Fault("status", "query", after=1), stopped="503.*not listed to its end"),
    api(
        "503 while URLs are asked for, for good",
        Fault("status", "query", after=3),
        failed=lost(*range(6), why="no task of this run finished it; its log says why"),
    ),
    api("reset before the reply", Fault("reset", "query", times=2)),
    api("reset inside the reply", Fault("reset_midway", "query", times=2)),
    api("reply cut", Fault("cut", "query", times=2)),
    api("hang", Fault("hang", "query", times=1)),
    api("hang at the token", Fault("hang", "token", times=1)),
    api("slow start", Fault("slow", "query", times=2, seconds=0.3)),
    api("slow trickle", Fault("trickle", "query", times=1, size=100, seconds=0.05)),
    api("a drip once", Fault("trickle", "query", times=1, size=1, seconds=0.05)),
    api("endless reply once", Fault("endless", "query", times=1)),
    api("gzip bomb", Fault("gzip_bomb", "query"), stopped="larger than .* bytes"),
    api("malformed JSON once", Fault("malformed_json", "query", times=1)),
    api("malformed JSON for good", Fault("malformed_json", "query"), stopped="not JSON.*3 times"),
    api("malformed JSON at the token", Fault("malformed_json", "token", times=2)),
    api("an error page under 200", Fault("html_200", "query"), stopped="not JSON.*3 times"),
    api("empty reply", Fault("empty", "query"), stopped="not JSON.*3 times"),
    api("wrong type: results", Fault("wrong_types", "query"), stopped="results is missing or no list"),
    api("wrong type: results, once", Fault("wrong_types", "query", times=1)),
    api(
        "wrong type: nextPageToken", Fault("set_fields", "query", values={"nextPageToken": 5}), stopped="nextPageToken"
    ),
    api("wrong type: id", Fault("wrong_types", "query", recording="#0", name="id"), stopped=r"\.id is missing"),
    api(
        "wrong type: checksum",
        Fault("wrong_types", "query", recording="#0", name="checksum"),
        failed=lost(0, why="checksum 12345 is not a SHA-256"),
    ),
    api(
        "wrong type: mediaUrl",
        Fault("wrong_types", "query", recording="#0", name="mediaUrl"),
        failed=lost(0, why="mediaUrl is missing or no text"),
    ),
    api("wrong type: an attribute", Fault("wrong_types", "query", recording="#0", name="agentName")),
    api("wrong type: access_token", Fault("wrong_types", "token"), stopped="access_token"),
    api("missing field: results", Fault("missing_fields", "query"), stopped="results is missing"),
    api("missing field: id", Fault("missing_fields", "query", recording="#0", name="id"), stopped=r"\.id is missing"),
    api(
        "missing field: mediaUrl",
        Fault("missing_fields", "query", recording="#0", name="mediaUrl"),
        failed=lost(0, why="mediaUrl is missing"),
    ),
    api(
        "missing field: mediaUrl, only later",
        Fault("missing_fields", "query", recording="#0", name="mediaUrl", after=3),
        failed=lost(0, why="mediaUrl is missing"),
    ),
    api("missing field: checksum", Fault("missing_fields", "query", name="checksum")),
    api("missing field: expires_in", Fault("missing_fields", "token", name="expires_in"), stopped="expires_in"),
    api("duplicate entries", Fault("duplicate_entries", "query")),
    api("reordered pages", Fault("reordered", "query")),
    api("page token repeats", Fault("repeat_page_token", "query"), stopped="same nextPageToken twice"),
    api(
        "page without entries but with a token", Fault("empty_page_with_token", "query"), stopped="without new results"
    ),
    api("token expires mid-run", Fault("token_expired", "query", after=1, times=1)),
    api("401 once", Fault("unauthorized", "query", times=1)),
    api("401 for good", Fault("unauthorized", "query"), stopped="401.*Admin > Integrations > OAuth"),
    api("401 at the token", Fault("unauthorized", "token"), stopped="401.*client id"),
    api("403 with missing permissions", Fault("forbidden", "query"), stopped="403.*Recording > Recording > View"),
    api("scope missing", Fault("scope", "token"), stopped="lacks the scope interaction:read"),
    api("404", Fault("not_found", "query"), stopped="There is no interactions API"),
    api("redirect to another host", Fault("redirect", "query", location="elsewhere"), stopped="not followed"),
    api("redirect at the token", Fault("redirect", "token", location="elsewhere"), stopped="not followed"),
    api("redirect loop", Fault("redirect_loop", "query"), stopped="not followed"),
    api("renewal: 503 once", Fault("expired", times=1), Fault("status", "renew", times=1)),
    api(
        "renewal: 503 for good",
        *(Fault("expired", recording="#0"), Fault("status", "renew")),
        failed=lost(0, why="503"),
    ),
    api(
        "renewal: 404",
        *(Fault("expired", recording="#0"), Fault("not_found", "renew")),
        failed=lost(0, why="no longer has it"),
    ),
    api(
        "renewal: malformed JSON",
        *(Fault("expired", recording="#0"), Fault("malformed_json", "renew")),
        failed=lost(0, why="not JSON"),
    ),
    api(
        "renewal: no mediaUrl",
        *(Fault("expired", recording="#0"), Fault("missing_fields", "renew")),
        failed=lost(0, why="mediaUrl is missing"),
    ),
]
BOUNDARIES = (0, 1, 8191, 8192, 8193, 16384)  # a transfer reads 8 KiB, then as much as there is
MEDIA = [
    media(
        "cut at each boundary",
        *(Fault("cut", recording=f"#{n}", times=1, size=b) for n, b in enumerate(BOUNDARIES)),
        cost=1,
    ),
    media(
        "reset at each boundary",
        *(Fault("reset_midway", recording=f"#{n}", times=1, size=b) for n, b in enumerate(BOUNDARIES)),
    ),
    media("cut every 8 KiB", Fault("cut", size=8192), cost=1),
    media(
        "cut before the first byte for good", Fault("cut", recording="#0", size=0), failed=lost(0, why="ended the body")
    ),
    media("reset before the reply", Fault("reset", times=2)),
    media("reset before the reply for good", Fault("reset"), failed=lost(*range(6), why="media host 127.0.0.1")),
    media("hang", Fault("hang", times=1, recording="#0")),
    media("hang for good", Fault("hang", recording="#0"), failed=lost(0, why="no byte in time")),
    media("slow start", Fault("slow", seconds=0.3)),
    media(
        "a drip for good",
        Fault("trickle", recording="#0", size=1, seconds=0.05),
        failed=lost(0, why="is too slow: only [0-9]+ bytes"),
    ),
    media("slow trickle", Fault("trickle", recording="#0", size=1000, seconds=0.06)),
    media("length too large once", Fault("wrong_length", times=1)),
    media(
        "length too large for good", Fault("wrong_length", recording="#0"), failed=lost(0, why="ended the body after")
    ),
    media("length too small once", Fault("wrong_length", recording="#0", times=1, size=-1000)),
    media(
        "length too small for good",
        Fault("wrong_length", recording="#0", size=-1000),
        failed=lost(0, why="SHA-256 is", status="checksum_mismatch"),
    ),
    media("no length", Fault("no_length"), failed=lost(BARE, why="the end cannot be trusted")),
    media("no length and cut", Fault("no_length", recording="#0"), Fault("cut", recording="#1", times=2, size=5000)),
    media("chunked", Fault("chunked")),
    media("wrong checksum once", Fault("wrong_bytes", recording="#0", times=1)),
    media(
        "wrong checksum for good",
        Fault("wrong_bytes", recording="#0"),
        failed=lost(0, why="SHA-256 is [0-9a-f]{64}, expected [0-9a-f]{64}", status="checksum_mismatch"),
    ),
    media(
        "gzip bomb",
        *(Fault("gzip_bomb", recording="#0"), Fault("gzip_bomb", recording=f"#{BARE}")),
        failed=lost(0, BARE, why="sends encoded media"),
        cost=1,
    ),
    media(
        "endless body",
        *(Fault("endless", recording="#0"), Fault("endless", recording=f"#{BARE}")),
        failed=lost(0, BARE, why="larger than 1048576 bytes"),
        cost=12,
    ),
    *(media(f"200 with {kind.upper()} once", Fault(f"{kind}_200", times=1)) for kind in ("html", "xml", "json")),
    *(
        media(
            f"200 with {kind.upper()} for good",
            *(Fault(f"{kind}_200", recording="#0"), Fault(f"{kind}_200", recording=f"#{BARE}")),
            failed=lost(0, BARE, why=rf"error page \({kind.upper()}\)"),
        )
        for kind in ("html", "xml", "json")
    ),
    media("206 with overlap", Fault("cut", times=1), Fault("overlap_206"), cost=1.51),
    media("range ignored", Fault("cut", times=1), Fault("ignore_range"), cost=1.51),
    media("416", Fault("cut", times=1), Fault("range_416"), cost=1.51),
    media("ETag changed between resumes", Fault("etag_changes"), Fault("cut", times=2)),
    media("weak ETag", Fault("weak_etag"), Fault("cut", times=2)),
    media("no ETag", Fault("no_etag"), Fault("cut", times=2)),
    *(media(f"URL expired ({code})", Fault("expired", times=1, status=code)) for code in (401, 403, 410)),
    media("URL expired while resuming", Fault("cut", times=1), Fault("expired", times=1), cost=1.02),
    media("URL always expired", Fault("expired", recording="#0"), failed=lost(0, why="even with a fresh URL")),
    media("404 for good", Fault("status", recording="#0", status=404), failed=lost(0, why="404 even with a fresh URL")),
    media("400 for good", Fault("status", recording="#0", status=400), failed=lost(0, why="400 even with a fresh URL")),
    media(
        "400, 409 and 423 once",
        *(Fault("status", recording=f"#{n}", times=1, status=status) for n, status in enumerate((400, 409, 423))),
    ),
    media("429 with Retry-After", Fault("status", times=1, status=429, retry_after_s=7), waited_s=7),
    media("503 with Retry-After", Fault("status", times=1, status=503, retry_after_s=7), waited_s=7),
    media("500 for good", Fault("status", recording="#0", status=500), failed=lost(0, why="answered 500")),
    media(
        "redirect to another host",
        Fault("redirect", recording="#0", location="elsewhere"),
        failed=lost(0, why="is not permitted"),
    ),
    media(
        "redirect to a metadata service",
        Fault("redirect", recording="#0", location="http://169.254.169.254/latest/"),
        failed=lost(0, why="169.254.169.254:80 is not permitted"),
    ),
    media("redirect loop", Fault("redirect_loop", recording="#0"), failed=lost(0, why="redirects more than 3 times")),
    media("empty file once", Fault("empty", times=1)),
    media(
        "empty file for good",
        *(Fault("empty", recording="#0"), Fault("empty", recording=f"#{BARE}")),
        failed=lost(0, BARE, why="empty body"),
    ),
]
TIME = [
    Case(
        "time",
        "date missing",
        (Fault("missing_fields", "query", recording="#0", name="interactionDate"),),
        undated=True,
    ),
    *(
        Case(
            "time",
            f"date unparsable: {text!r}",
            (Fault("set_fields", "query", recording="#0", values={"interactionDate": text}),),
            undated=True,
        )
        for text in ("yesterday", "2026-11-20T10:00:00", "2026-13-45T10:00:00Z", "0001-01-01T00:00:00+14:00")
    ),
]
