"""The request of a run of `enforce_retention`, read from its parameters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from recording_archive.disposition.request import read_retention_request
from recording_archive.errors import ConfigurationError
from support.spellings import GUID, PASTED


class TestRequest:
    """What a run is asked for."""

    def read(self, **conf: Any) -> Any:
        return read_retention_request(conf, zone=ZoneInfo("Europe/Berlin"))

    def test_everything_has_a_default(self) -> None:
        """Nothing given is a run as the schedule makes it; a date-time without zone is local."""
        asked = self.read(dry_run=None, as_of=None, eraseIds="", eraseReason=None)
        assert (asked.dry_run, asked.as_of, asked.max_count, asked.subject) == (False, None, None, None)
        asked = self.read(dry_run=True, as_of="2026-01-31T08:00:00", max_delete_count=3, max_delete_bytes=0)
        assert (asked.as_of, asked.max_count, asked.max_bytes) == (datetime(2026, 1, 31, 7, tzinfo=UTC), 3, 0)

    def test_an_erasure_names_whom_and_why(self) -> None:
        """Texts, comma lists and arrays alike; ids in any spelling."""
        asked = self.read(eraseNumbers="+49 30 1, +49 30 2", eraseIds=["a", "b"], eraseReason="case 7")
        assert (asked.subject.numbers, asked.subject.ids) == (("+49 30 1", "+49 30 2"), ("a", "b"))
        assert asked.reason == "case 7"
        assert self.read(eraseIds=[*PASTED, f"{GUID}\nb"], eraseReason="r").subject.ids == (GUID, "b")

    @pytest.mark.parametrize(
        ("conf", "told_of"),
        [
            ({"surprise": 1}, "Unknown parameter surprise"),
            ({"dry_run": "yes"}, "dry_run"),
            ({"as_of": "tomorrow"}, "as_of"),
            ({"max_delete_count": -1}, "max_delete_count"),
            ({"max_delete_bytes": "12"}, "max_delete_bytes"),
            ({"max_delete_count": True}, "max_delete_count"),
            ({"eraseIds": ["a"]}, "eraseReason"),
            ({"eraseReason": "r"}, "eraseReason"),
            ({"eraseNumbers": {"a": 1}, "eraseReason": "r"}, "eraseNumbers"),
        ],
    )
    def test_what_is_wrong_is_named(self, conf: dict[str, Any], told_of: str) -> None:
        """Unknown names, wrong types, and an erasure without a reason are refused before anything is planned."""
        with pytest.raises(ConfigurationError, match=told_of):
            self.read(**conf)
