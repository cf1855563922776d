"""Plans and fixity runs of a lost catalog are known again from their reports."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Table, select

from genesys_sandbox import Fault, Sandbox
from recording_archive.archive import Archive
from recording_archive.catalog.tables import dispositions, fixity_runs, plans, readings
from recording_archive.disposition.erasure import erase
from recording_archive.disposition.erasure_subject import Subject
from recording_archive.ledger import sealing
from recording_archive.ledger.proof import Proof
from recording_archive.recovery.reindex import reindex
from recording_archive.recovery.result import IndexResult
from recording_archive.store.local import LocalStore
from support.contents import all_rows, damage, flip, ids
from support.fixity_run import ALL, Verifying
from support.rebuilding import rebuilt
from support.retention_run import EXPIRED, at, enforce, hold, quarantined


def dump(archive: Archive, table: Table, *without: str) -> list[dict[str, Any]]:
    """All rows of a table in their order."""
    order = [table.c[name] for name in ("run_id", "id") if name in table.c]
    with archive.catalog.read() as connection:
        found = [dict(row) for row in connection.execute(select(table).order_by(*order)).mappings()]
    return [{name: value for name, value in row.items() if name not in {"id", *without}} for row in found]


def tampered(archive: Archive) -> list[str]:
    """Where the archive's ledger does not prove it, once everything is sealed."""
    sealing.seal(archive)
    return [flaw.place for flaw in Proof(archive.store, now=datetime.now(UTC)).flaws() if flaw.tampered]


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine in New York."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("new_york")
def test_plans_and_what_they_did_are_known_again(archived: Archive) -> None:
    """A dry run, a quarantine, an approved purge and an erasure, equal in every column, wherever the machine is."""
    enforce(at(archived, EXPIRED), "manual__0", dry_run=True)
    later = quarantined(archived)
    hold(later, ids(archived)[0])
    enforce(at(later, later.clock(), max_delete_count=0), "retention__2", triggered_by="bob")
    erase(later, Subject(ids=(ids(archived)[0],)), reason="request 7", actor="ann", run_id="erasure__1")
    told = [dump(archived, table) for table in (plans, dispositions)]
    assert [row["approved_by"] for row in told[0]] == [None, None, "carol", "carol"]
    assert [row["foretold"] is not None for row in told[0]] == [False, True, True, True]
    assert {row["certificate"] is not None for row in told[1]} == {True, False}
    archive, bad = rebuilt(archived)
    assert bad == []
    assert [dump(archive, table) for table in (plans, dispositions)] == told
    assert [each.result for each in reindex(archive.settings) if each.what == "runs"] == [IndexResult.KNOWN] * 5
    assert [dump(archive, table) for table in (plans, dispositions)] == told
    archive.catalog.close()


def test_fixity_runs_and_what_they_found_are_known_again(archived: Archive, cloud: Sandbox) -> None:
    """A run that repaired one recording and could not repair another."""
    verifying = Verifying(cloud)
    victim, other = all_rows(archived)[:2]
    for row in (victim, other):
        damage(archived.settings.root / row.key, flip(40))
    cloud.faults.add(Fault("status", recording=other.interaction_id, status=404, times=9))
    verifying(archived, ALL)
    told = [dump(archived, table, "batch", "stored_bytes") for table in (fixity_runs, readings)]
    assert sorted(row["outcome"] for row in told[1]) == ["bad", "repaired"]
    archive, bad = rebuilt(archived)
    assert bad == []
    found = [dump(archive, table, "batch", "stored_bytes") for table in (fixity_runs, readings)]
    told[0][0]["problem"] = found[0][0]["problem"]  # a report tells all problems, the books only what no row tells
    assert found == told
    archive.catalog.close()


class Crash(BaseException):
    """What ends a process."""


class CrashingStore(LocalStore):
    """Ends the process when so many files of reports were written."""

    left: int

    def sync(self, keys: Iterable[str]) -> None:
        """Make durable what was written."""
        named = list(keys)
        super().sync(named)
        self.left -= sum(key.startswith("reports/") for key in named)
        if self.left <= 0:
            raise Crash


@pytest.mark.parametrize("written", [1, 2, 3])
def test_a_report_that_a_crash_left_is_taken_up(archived: Archive, written: int) -> None:
    """Finished or not, the ledger vouches for it after a reindex; only what was finished becomes history."""
    store = CrashingStore(archived.settings.root)
    store.left = written
    with pytest.raises(Crash):
        enforce(at(replace(archived, store=store), EXPIRED), "retention__1")
    archive, bad = rebuilt(archived)
    assert bad == []
    assert [row["run_id"] for row in dump(archive, plans)] == (["retention__1"] if written == 3 else [])
    assert tampered(archive) == []
    assert [each.what for each in reindex(archive.settings) if each.result is IndexResult.ADDED] == []
    archive.catalog.close()
