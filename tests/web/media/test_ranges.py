"""Ranges and conditions against a reference: what RFC 9110 says of a few bytes that can be looked at."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from recording_archive.web.media.ranges import ByteSpan, Unsatisfiable, parse_range, quote_tag, select

SIZES = st.integers(0, 40)
NUMBERS = st.integers(0, 60)
TAG = quote_tag("0f")


def headers(**fields: str | list[str]) -> Headers:
    """Request headers; underscores stand for dashes, a list for a field of several lines."""
    lines = [
        (name, value) for name, values in fields.items() for value in ([values] if isinstance(values, str) else values)
    ]
    return Headers(raw=[(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in lines])


@given(SIZES, NUMBERS, st.none() | NUMBERS)
def test_a_range_by_position_is_the_slice_it_names(size: int, first: int, last: int | None) -> None:
    """``first-last`` is inclusive, ends with the content, is ignored when reversed and 416 when it begins behind it."""
    content = bytes(range(size))
    found = parse_range(f"bytes={first}-{'' if last is None else last}", size)
    if last is not None and last < first:
        assert found is None
    elif not content[first : first + 1]:
        assert found == Unsatisfiable()
    else:
        assert isinstance(found, ByteSpan)
        assert content[found.start : found.end] == (content[first:] if last is None else content[first : last + 1])
        assert found.length == len(content[found.start : found.end]) > 0


@given(SIZES, NUMBERS)
def test_a_range_by_suffix_is_the_end_of_the_content(size: int, length: int) -> None:
    """``-n`` is the last n bytes, or all of fewer; no bytes at all cannot be had."""
    content = bytes(range(size))
    found = parse_range(f"bytes=-{length}", size)
    if length == 0:
        assert found == Unsatisfiable()
    elif size == 0:
        assert found is None
    else:
        assert isinstance(found, ByteSpan)
        assert content[found.start : found.end] == content[-length:]


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=4), SIZES)
def test_several_ranges_are_answered_with_the_whole(ranges: list[tuple[int, int]], size: int) -> None:
    """No multipart answer exists: RFC 9110 lets a server ignore what it does not support."""
    assert parse_range("bytes=" + ", ".join(f"{first}-{last}" for first, last in ranges), size) is None


@given(st.text(max_size=40) | st.text("bytes=0123456789-, \t", max_size=40), SIZES)
@example("bytes=" + "9" * 40 + "-", 10)
@example("bytes=0-" + "9" * 9000, 10)
@example("bytes=٠-٣", 10)
@example("bytes=-1-2", 10)
@example("bytes=+1-2", 10)
@example("bytes=0x1-2", 10)
@example("bytes 0-1", 10)
@example("bytes=-", 10)
@example("seconds=0-1", 10)
def test_any_other_text_is_harmless(text: str, size: int) -> None:
    """Whatever a header holds, the answer is the whole, a part of it, or 416; never an error."""
    found = parse_range(text, size)
    assert found is None or found == Unsatisfiable() or 0 <= found.start < found.end <= size  # type: ignore[union-attr] # narrowed by ==


@pytest.mark.parametrize(
    "spelling", ["bytes=2-4", "BYTES=2-4", "bytes=2-4,", "bytes= 2-4", "bytes=,2-4 ,", "bytes=02-004"]
)
def test_spellings_of_one_range_mean_the_same(spelling: str) -> None:
    """Units have no case; white space and empty list elements mean nothing (RFC 9110, sections 14.1 and 5.6.1)."""
    assert parse_range(spelling, 10) == ByteSpan(2, 5)


@given(
    size=SIZES,
    method=st.sampled_from(["GET", "HEAD"]),
    match=st.sampled_from([None, "*", TAG, f"W/{TAG}", '"other"', f'"other", {TAG}', "junk"]),
    none_match=st.sampled_from([None, "*", TAG, f"W/{TAG}", '"other"', f'"a,b",{TAG}', "junk"]),
    if_range=st.sampled_from([None, TAG, f"W/{TAG}", '"other"', "Sat, 21 Nov 2026 00:00:00 GMT"]),
    first=st.none() | NUMBERS,
)
def test_conditions_decide_in_the_order_of_the_rfc(
    *, size: int, method: str, match: str | None, none_match: str | None, if_range: str | None, first: int | None
) -> None:
    """If-Match, then If-None-Match, then If-Range, and the range only for GET (RFC 9110, section 13.2.2)."""
    given_fields = {"if_match": match, "if_none_match": none_match, "if_range": if_range}
    fields = {name: value for name, value in given_fields.items() if value is not None}
    if first is not None:
        fields["range"] = f"bytes={first}-"
    chosen = select(method, headers(**fields), size=size, etag=TAG)
    strong, weak = {"*", TAG, f'"other", {TAG}'}, {"*", TAG, f"W/{TAG}", f'"a,b",{TAG}'}
    if match is not None and match not in strong:
        due = 412
    elif none_match in weak:
        due = 304
    elif method == "HEAD" or first is None or if_range not in {None, TAG}:
        due = 200
    else:
        due = 206 if first < size else 416
    assert chosen.status == due
    assert chosen.headers["ETag"] == TAG
    assert (chosen.span is not None) == (due in {200, 206} and method == "GET")


@given(SIZES.filter(bool), NUMBERS)
def test_headers_tell_of_the_bytes_that_are_sent(size: int, first: int) -> None:
    """Content-Length and Content-Range agree with the span, and 416 tells the size."""
    chosen = select("GET", headers(range=f"bytes={first}-"), size=size, etag=TAG)
    if chosen.span is None:
        assert chosen.headers["Content-Range"] == f"bytes */{size}"
        assert "Content-Length" not in chosen.headers
    else:
        assert chosen.headers["Content-Length"] == str(chosen.span.length)
        assert chosen.headers["Content-Range"] == f"bytes {chosen.span.start}-{chosen.span.end - 1}/{size}"


def test_a_range_field_of_two_lines_is_no_range() -> None:
    """Two Range lines make a list of two, of which the whole is sent; neither may win by chance."""
    chosen = select("GET", headers(range=["bytes=0-1", "bytes=5-6"]), size=10, etag=TAG)
    assert (chosen.status, chosen.span) == (200, ByteSpan(0, 10))
