"""Plans in the catalog: problems noted in them."""

from __future__ import annotations

import pytest

from recording_archive.archive import Archive
from recording_archive.disposition.plan import make_plan
from recording_archive.disposition.plan_table import noted
from recording_archive.disposition.report import close
from recording_archive.errors import ConfigurationError
from support.retention_run import EXPIRED, at


class TestNoted:
    """What ends a task is in the report."""

    def test_an_error_before_the_plan_is_told_by_the_report(self, archived: Archive) -> None:
        """The run has an empty plan with the cause, and a later attempt begins anew, whatever its kind."""
        with pytest.raises(ConfigurationError), noted(archived, "retention__1"):
            make_plan(at(archived, EXPIRED, max_delete_count=9), "retention__1", max_count=10)
        assert "max_delete_count" in close(archived, "retention__1").problems[0]
        assert make_plan(at(archived, EXPIRED), "retention__1").problem is None
