"""Time stamps as authorities answer them (RFC 3161), also those that order their certificates otherwise than DER says.

`openssl ts` leaves the set of certificates in the order in which it read them, and strict readers refuse that. The set
is not signed, so it may be put in order before it is read; the file stays as it came.
"""

from __future__ import annotations

from rfc3161_client import TimeStampResponse, decode_timestamp_response

_CERTIFICATES, _LONG = 0xA0, 0x80


def read_stamp(content: bytes) -> TimeStampResponse:
    """Read an authority's answer; raise ValueError when it is none."""
    try:
        return decode_timestamp_response(content)
    except ValueError:
        return decode_timestamp_response(in_order(content))


def in_order(content: bytes) -> bytes:
    """Put the certificates of an answer into the order of DER; raise ValueError when it has no such set."""
    try:
        _, start, end = _element(content, 0)  # TimeStampResp
        _, _, status_end = _element(content, start)
        _, start, end = _element(content, status_end)  # ContentInfo
        _, _, kind_end = _element(content, start)
        _, start, end = _element(content, kind_end)  # [0]
        _, start, end = _element(content, start)  # SignedData
        tag = 0
        while tag != _CERTIFICATES:  # after version, digest algorithms and what is stamped
            if start >= end:
                raise ValueError("no certificates")
            tag, first, start = _element(content, start)
    except IndexError as error:
        raise ValueError("cut off") from error
    parts, place = [], first
    while place < start:
        _, _, after = _element(content, place)
        parts.append(content[place:after])
        place = after
    return content[:first] + b"".join(sorted(parts)) + content[place:]


def _element(content: bytes, at: int) -> tuple[int, int, int]:
    """Read where an element's content starts and ends, and its tag."""
    tag, length, start = content[at], content[at + 1], at + 2
    if length & _LONG:
        size = length - _LONG
        length, start = int.from_bytes(content[start : start + size]), start + size
    return tag, start, start + length
