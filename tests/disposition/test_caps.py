"""Caps: above them a person must approve, whatever was foretold."""

from __future__ import annotations

import re
from typing import Any

import pytest

from recording_archive.archive import Archive
from recording_archive.disposition.plan import make_plan
from recording_archive.disposition.plan_table import Plan, read_plan
from recording_archive.errors import ConfigurationError
from recording_archive.model import State
from recording_archive.settings import Settings
from support.contents import change, ids, rows
from support.retention_run import EXPIRED, QUARANTINE, at, hold, quarantined


def exceeded(plan: Plan) -> list[str]:
    """What a plan says of caps, and not of surprises, of which a first plan is always one."""
    return [cap for cap in plan.caps if re.search(r"; up to [\d,]+ need no approval", cap)]


class TestCaps:
    """Above them a person is asked."""

    @pytest.mark.parametrize(
        ("limits", "caps"),
        [
            ({}, 0),
            ({"max_delete_count": 6}, 0),
            ({"max_delete_count": 5}, 1),
            ({"max_delete_bytes": 0}, 1),
            ({"max_delete_count": 0, "max_delete_bytes": 0}, 2),
            ({"max_delete_bytes": "10 %"}, 1),
            ({"max_delete_bytes": "99.9%"}, 1),
            ({"max_delete_bytes": "100 %"}, 0),
        ],
    )
    def test_what_exceeds_a_cap_is_said(self, archived: Archive, limits: dict[str, Any], caps: int) -> None:
        """Count and bytes, each on its own; bytes also as a share of the archive."""
        assert len(exceeded(make_plan(at(archived, EXPIRED, **limits), "retention__1"))) == caps

    def test_one_tenth_of_the_archive_is_the_only_default(self, archived: Archive) -> None:
        """The number of recordings has no limit."""
        plain = Settings()
        assert (plain.max_delete_count, plain.max_delete_bytes) == (None, "10 %")
        stored = sum(row.stored_bytes for row in rows(archived).values())
        plan = make_plan(at(archived, EXPIRED, max_delete_bytes=plain.max_delete_bytes), "retention__1")
        assert exceeded(plan) == [f"quarantine of {stored:,} stored bytes; up to {stored // 10:,} need no approval"]

    def test_purges_are_counted_on_their_own(self, archived: Archive) -> None:
        """Three to quarantine and three to purge do not exceed a limit of three."""
        for name in ids(archived)[:3]:
            change(archived, name, state=State.QUARANTINED, quarantined_at=EXPIRED - QUARANTINE)
        assert exceeded(make_plan(at(archived, EXPIRED, max_delete_count=3), "retention__1")) == []
        assert exceeded(make_plan(at(archived, EXPIRED, max_delete_count=2), "retention__2")) == [
            f"{action} of 3 recordings; up to 2 need no approval" for action in ("quarantine", "purge")
        ]

    def test_restores_need_nobody(self, archived: Archive) -> None:
        """Bringing back is never too much."""
        soon = quarantined(archived)
        for name in ids(archived):
            hold(soon, name)
        plan = make_plan(at(soon, soon.clock(), max_delete_count=0, max_delete_bytes=0), "retention__2")
        assert (plan.counts["restore"], plan.caps) == (6, ())

    @pytest.mark.parametrize("asked", [{"max_count": 1001}, {"max_bytes": 2**41}, {"max_count": -1}])
    def test_params_only_lower_the_limits(self, archived: Archive, asked: dict[str, int]) -> None:
        """A larger one is refused by the name of its setting, and makes no plan."""
        with pytest.raises(ConfigurationError, match=r"RECORDING_ARCHIVE_MAX_DELETE_(COUNT|BYTES)"):
            make_plan(at(archived, EXPIRED, max_delete_count=1000), "retention__1", **asked)
        assert read_plan(archived, "retention__1") is None
        assert make_plan(at(archived, EXPIRED), "retention__2", max_count=5).caps[0].startswith("quarantine of 6")

    def test_a_bytes_param_cannot_exceed_the_share(self, archived: Archive) -> None:
        """Where the limit is a share, its bytes are what may be lowered."""
        with pytest.raises(ConfigurationError, match="may only be lowered"):
            make_plan(at(archived, EXPIRED, max_delete_bytes="2 %"), "retention__1", max_bytes=2**30)
