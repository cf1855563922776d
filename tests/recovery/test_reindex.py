"""The catalog is rebuilt from the archive alone, as it was."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice
from pathlib import Path

import pytest

from genesys_sandbox import Fault, Sandbox
from recording_archive.archive import Archive, open_archive
from recording_archive.archiving.acknowledge import acknowledge
from recording_archive.archiving.report import Summary
from recording_archive.catalog.events import record
from recording_archive.catalog.tables import coverage, events, recordings, runs, segments
from recording_archive.errors import StoreError
from recording_archive.fixity.verify import verify
from recording_archive.ledger.chain import newest
from recording_archive.ledger.proof import Proof
from recording_archive.ledger.sealing import seal
from recording_archive.ledger.segments import unknown_segments
from recording_archive.model import Attributes, PartId
from recording_archive.parties.documents import PARTY_COLUMNS
from recording_archive.recovery.reindex import reindex
from support.contents import overwrite
from support.rebuilding import (
    NIGHT,
    at,
    bad,
    change_with_event,
    dump,
    lose_catalog,
    rebuild,
    some_sidecar,
)

Run = Callable[..., Summary]


def test_a_lost_catalog_is_rebuilt_as_it_was(archive: Archive, run: Run, cloud: Sandbox) -> None:
    """Recordings, events, failures, decisions, runs and coverage are equal in every column, from the files alone."""
    victim, other, third = cloud.library[1], cloud.library[2], cloud.library[3]
    cloud.faults.add(
        Fault("wrong_bytes", recording=victim.id), Fault("status", recording=other.id, status=404, times=3)
    )
    run(at(archive, NIGHT), "scheduled__1")
    run(at(archive, NIGHT + timedelta(days=1)), "scheduled__2")
    run(at(archive, NIGHT + timedelta(days=1, hours=3)), "scheduled__3")
    later = at(archive, NIGHT + timedelta(days=2))
    assert acknowledge(later, victim.id, reason="case 4711", actor="ann")[0].refused is None
    with archive.catalog.write() as connection:
        record(connection, "played", PartId(third.id, third.id), at=later.clock(), actor="bob")
        record(connection, "refused", None, at=later.clock(), actor="eve", detail={"why": "no role"})
    assert [each.problem for each in verify(at(archive, NIGHT + timedelta(days=3)), [third.id])] == [None]
    change_with_event(
        later, "quarantined", PartId(third.id, third.id), state="quarantined", quarantined_at=later.clock()
    )
    seal(later)
    tables = {recordings: (), runs: ("problem",), coverage: ("id",), events: ("id",), segments: ()}
    before = {table: dump(archive.catalog, table, *without) for table, without in tables.items()}
    failing = [row for row in before[recordings] if row["failures"]]
    assert [(row["interaction_id"], row["failures"]) for row in failing] == [(victim.id, 3)]
    assert failing[0]["acknowledged_at"] == later.clock()
    archive.catalog.close()
    lose_catalog(archive.settings)

    counts = rebuild(archive.settings)

    assert counts["recordings", "added"] == 5
    assert counts["runs", "added"] == counts["coverage", "added"] == 3
    assert counts["ledger", "added"] == len(before[segments])
    assert counts["acknowledged", "added"] == 1
    rebuilt = open_archive(archive.settings)
    attributes = {name: None for name in failing[0] if name in {*Attributes.__dataclass_fields__, *PARTY_COLUMNS}}
    for row in before[recordings]:
        row.update(attributes if row["failures"] else {})  # only the source knows those of what never was archived
    before[recordings].sort(key=str)
    for table, without in tables.items():
        assert dump(rebuilt.catalog, table, *without) == before[table], table.name
    assert seal(rebuilt) == newest(rebuilt.store)
    assert unknown_segments(rebuilt) == []
    rebuilt.catalog.close()


def test_without_a_ledger_sidecars_and_reports_tell(archived: Archive) -> None:
    """An archive of a time before the ledger gets its events from its documents, and the ledger from them."""
    told = [row for row in dump(archived.catalog, events, "id") if row["kind"] == "archived"]
    shutil.rmtree(archived.settings.root / "ledger")
    archived.catalog.close()
    lose_catalog(archived.settings)
    assert rebuild(archived.settings)["recordings", "added"] == 6
    rebuilt = open_archive(archived.settings)
    new = [row for row in dump(rebuilt.catalog, events, "id") if row["kind"] == "archived"]
    same = ("interaction_id", "recording_id", "part", "run_id", "detail")
    assert sorted([str(row[name]) for name in same] for row in new) == sorted(
        [str(row[name]) for name in same] for row in told
    )
    seal(rebuilt)
    head = str(newest(rebuilt.store))
    flaws = list(Proof(rebuilt.store, now=datetime.now(UTC), expected=head).flaws())
    assert [flaw.place.rpartition("/")[2] for flaw in flaws] == ["compliance_report.json"]  # it names the old head
    rebuilt.catalog.close()


def test_what_is_not_what_the_ledger_tells_is_named(archived: Archive) -> None:
    """A sidecar that was changed becomes no row, a report written anew with right checksums no run."""
    path = some_sidecar(archived)
    overwrite(path, path.read_bytes() + b"\n")
    report = next((archived.settings.root / "reports").rglob("*.json"))
    overwrite(report, report.read_bytes().replace(b'"failed": 0', b'"failed": 1'))
    files = (report.with_suffix(".csv"), report)
    sums = "".join(f"{sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
    overwrite(report.with_suffix(".sha256"), sums.encode())
    archived.catalog.close()
    lose_catalog(archived.settings)
    first, second = bad(archived.settings)
    assert first.key.endswith(path.name)
    assert "the ledger has" in str(first.problem)
    assert second.key == str(report.relative_to(archived.settings.root))
    assert "expected" in str(second.problem)


def test_a_rebuilt_catalog_goes_on_working(archived: Archive, run: Run) -> None:
    """The next run finds everything archived, and a second rebuilding finds nothing to add."""
    archived.catalog.close()
    lose_catalog(archived.settings)
    rebuild(archived.settings)
    reopened = open_archive(archived.settings)
    assert run(reopened, "scheduled__second").counts["alreadyArchived"] == 6
    reopened.catalog.close()
    assert rebuild(archived.settings) == {("ledger", "known"): 3, ("recordings", "known"): 6, ("runs", "known"): 2}


def test_the_catalog_belongs_to_the_archive_only_when_it_is_whole(archived: Archive) -> None:
    """A rebuilding that was stopped leaves a catalog that no run accepts, and that the next one completes."""
    archived.catalog.close()
    lose_catalog(archived.settings)
    list(islice(reindex(archived.settings), 3))
    with pytest.raises(StoreError, match="reindex"):
        open_archive(archived.settings)
    assert rebuild(archived.settings)["recordings", "known"] == 6
    open_archive(archived.settings).catalog.close()


def test_another_archives_catalog_is_not_touched(archived: Archive, tmp_path: Path) -> None:
    """A catalog that indexes another archive is refused before anything is written."""
    with archived.catalog.write() as connection:
        connection.exec_driver_sql("UPDATE archive SET id = 'another'")
    before = dump(archived.catalog, recordings)
    with pytest.raises(StoreError, match="indexes another"):
        list(reindex(archived.settings))
    assert dump(archived.catalog, recordings) == before
    nowhere = archived.settings.model_copy(update={"url": str(tmp_path / "nowhere")})
    with pytest.raises(StoreError, match=r"no archive\.json"):
        list(reindex(nowhere))
