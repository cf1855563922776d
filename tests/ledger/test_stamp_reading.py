"""Time stamps whose certificates are out of order, as `openssl ts` writes them."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, decode_timestamp_response

from recording_archive.ledger.stamp_reading import in_order, read_stamp
from support.time_authority import TimeAuthority


def test_any_order_of_certificates_is_read(tmp_path: Path) -> None:
    """The strict reader takes one of the two orders alone; both are the same stamp."""
    authority = TimeAuthority(tmp_path)
    query = TimestampRequestBuilder().data(b"line\n").hash_algorithm(HashAlgorithm.SHA256).build()
    answer = authority.answer(query.as_bytes())
    sound = in_order(answer)
    certificates = sorted(decode_timestamp_response(sound).signed_data.certificates)
    assert len(certificates) == 2
    ordered, swapped = b"".join(certificates), b"".join(reversed(certificates))
    assert ordered in sound
    assert answer in (sound, sound.replace(ordered, swapped))
    wrong = sound.replace(ordered, swapped)
    with pytest.raises(ValueError, match="InvalidSetOrdering"):
        decode_timestamp_response(wrong)
    for content in (sound, wrong):
        assert read_stamp(content).tst_info.message_imprint.message == sha256(b"line\n").digest()


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x30", b"\x30\x82", bytes(100), b"\x30\x03\x02\x01\x00" * 9])
def test_what_is_no_stamp_is_refused(content: bytes) -> None:
    """Any bytes may come."""
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the reader says
        read_stamp(content)
