"""Reconciling with the source's inventory, and what `check` finds out about an OAuth client."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from genesys_sandbox import Fault
from recording_archive.archive import Archive
from recording_archive.archiving.reconcile import Standing, reconcile
from recording_archive.cli import app
from recording_archive.cli.check import Connected
from recording_archive.errors import AccessError
from recording_archive.settings import read_settings
from recording_archive.sources import Stored
from recording_archive.sources.conversations import ConversationsSource
from recording_archive.sources.conversations.permissions import NEEDED, SENSITIVE, USEFUL
from support.platform_run import PER_DAY, PlatformTasks, Start, facts_of, platform_client, run, start, trapped
from support.whole_run import NIGHT, at

__all__ = ["start"]  # the fixture

EVERY = ",".join((*NEEDED, SENSITIVE, *USEFUL))


def standings(tasks: PlatformTasks, archive: Archive, *, days: int = 30, nights: int = 3) -> Counter[str]:
    """How many recordings stand how, some nights later."""
    later = at(archive, NIGHT + timedelta(days=nights))
    return Counter(each.standing for each in reconcile(later, tasks.source().inventory(), within=timedelta(days=days)))


def test_the_inventory_is_read_to_its_end(start: Start) -> None:
    """Page by page, by the cursor in nextUri."""
    tasks = start(per_day=620, min_bytes=100, max_bytes=200)
    assert len({each.recording_id for each in tasks.source().inventory()}) == 620
    assert tasks.cloud.requests.counts["inventory"] == 2


def test_everything_archived_is_well(start: Start, archive: Archive) -> None:
    """Before the run each recording is unknown, or young; after it archived."""
    tasks = start()
    assert standings(tasks, archive) == {Standing.UNKNOWN: PER_DAY}
    assert standings(tasks, archive, nights=0) == {Standing.YOUNG: PER_DAY}
    run(tasks, archive, "scheduled__0")
    assert standings(tasks, archive) == {Standing.ARCHIVED: PER_DAY}


def test_what_a_run_could_not_see_is_found(start: Start, archive: Archive) -> None:
    """Sensitive recordings that batches leave out are in the inventory, and so are those that still wait."""
    tasks = start("sensitive,archived", permissions="analytics:conversationDetail:view,recording:recording:view")
    run(tasks, archive, "scheduled__0")
    assert standings(tasks, archive) == {Standing.ARCHIVED: PER_DAY - 4, Standing.WAITING: 4}


def test_a_deletion_that_comes_first_is_a_risk(archive: Archive) -> None:
    """Near enough and not archived, however young; nothing is at risk that is safe."""
    now = datetime(2026, 11, 24, tzinfo=UTC)

    def stored(delete_in_days: int | None) -> Stored:
        ends = None if delete_in_days is None else now + timedelta(days=delete_in_days)
        return Stored("c1", "r1", now, ends)

    for days, risk in ((5, True), (30, False), (None, False)):
        (found,) = reconcile(at(archive, now), [stored(days)], within=timedelta(days=30))
        assert (found.at_risk, found.is_well) == (risk, not risk)
        assert ("at risk" in found.in_words()) is risk


def test_the_command_names_what_is_missing(
    start: Start, archive: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1 and a line for each; 0 when all is archived; JSON for programs."""
    monkeypatch.setenv("RECORDING_ARCHIVE_URL", archive.settings.url)
    monkeypatch.setenv("RECORDING_ARCHIVE_CATALOG_URL", archive.settings.catalog_url)
    tasks = start("archived", permissions=EVERY)
    run(tasks, archive, "scheduled__0")
    facts = facts_of(tasks.cloud)
    connected = Connected(facts, "this test", tasks.source())
    monkeypatch.setattr("recording_archive.cli.check.connect_by_airflow", lambda _: connected)
    read_settings.cache_clear()

    def ended(*arguments: str) -> int:
        with pytest.raises(SystemExit) as caught:
            app.app(["reconcile", *arguments])
        return int(caught.value.code or 0)

    assert ended("--json") == (1 if NIGHT + timedelta(days=2) < datetime.now(UTC) else 0)
    told = json.loads(capsys.readouterr().out)
    assert told["counts"]["archived"] == PER_DAY - 2
    assert ended("--days", "100000") == 1
    assert capsys.readouterr().out.count("at risk: ") == 2
    read_settings.cache_clear()


def _opens(missing: str, name: str) -> bool:
    """Whether another permission opens the same path: any kind of recording may be viewed."""
    return missing.startswith("recording:") and name.startswith("recording:") and name.endswith(":view")


@pytest.mark.parametrize("missing", NEEDED)
@pytest.mark.parametrize("told", [True, False])
def test_a_missing_permission_is_named(start: Start, missing: str, told: bool) -> None:
    """Whether the service tells what the role holds, or only refuses."""
    tasks = start(
        permissions=",".join(name for name in EVERY.split(",") if told or not _opens(missing, name) if name != missing)
    )
    if not told:
        tasks.cloud.faults.add(Fault("not_found", "directory", times=1))
    with pytest.raises(AccessError, match=missing):
        tasks.source().probe()


@pytest.mark.parametrize("missing", [SENSITIVE, *USEFUL])
def test_a_permission_that_would_be_missed_silently_is_a_warning(start: Start, missing: str) -> None:
    """No run stops for it, but what it costs is told before."""
    tasks = start(permissions=EVERY.replace(f",{missing}", ""))
    (note,) = tasks.source().probe().notes
    assert note.startswith(f"{missing} is missing: ")
    assert start(permissions=EVERY).source().probe().notes == ()


def test_where_permissions_are_not_told_the_doubt_is(start: Start) -> None:
    """Whether sensitive recordings are left out cannot be found by trying."""
    tasks = start()
    tasks.cloud.faults.add(Fault("not_found", "directory", times=1))
    assert any(SENSITIVE in note and "does not show" in note for note in tasks.source().probe().notes)


def test_wildcards_grant_everything(start: Start) -> None:
    """A role may hold ``*`` in any place."""
    assert (
        start(permissions="*:*:*,recording:recording:view,analytics:conversationDetail:view").source().probe().notes
        == ()
    )


def test_a_division_without_a_role_is_a_warning(start: Start) -> None:
    """By its name."""
    (note,) = start("division_gap", permissions=EVERY).source().probe().notes
    assert note.startswith("no role in division South-East")


def test_a_small_allowance_and_short_lived_urls_are_warnings(start: Start) -> None:
    """What slows a run down is told before it."""
    (note,) = start(rate_per_minute=60, permissions=EVERY).source().probe().notes
    assert "60 requests a minute" in note


def source_of(tasks: PlatformTasks, **more: Any) -> ConversationsSource:
    """A source that really sleeps."""
    return ConversationsSource(platform_client(tasks.cloud), organization="default", **more)


def test_the_last_day_says_whether_anything_is_listed(start: Start) -> None:
    """One conversation is enough."""
    tasks = start()
    listed = [source_of(tasks, now=lambda n=n: NIGHT + timedelta(days=n)).probe().listed for n in (0, 5)]
    assert listed == [1, 0]


def test_met_is_not_empty(start: Start) -> None:
    """Each trap meets somebody, or these tests would show nothing."""
    tasks = start("all")
    assert all(trapped(tasks, trap) for trap in ("archived", "sensitive", "division_gap", "unrecorded"))
