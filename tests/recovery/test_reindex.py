"""The catalog is rebuilt from the archive alone, as it was."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, select, update

from genesys_sandbox import Fault, Sandbox
from recording_archive.archive import Archive, open_archive
from recording_archive.archiving.acknowledge import acknowledge
from recording_archive.archiving.report import Summary
from recording_archive.catalog.database import Catalog
from recording_archive.catalog.events import record
from recording_archive.catalog.tables import coverage, events, recordings, runs, segments
from recording_archive.errors import PermanentError, StoreError
from recording_archive.fixity.verify import verify
from recording_archive.ledger.chain import newest
from recording_archive.ledger.proof import Proof
from recording_archive.ledger.sealing import seal
from recording_archive.ledger.segments import unknown_segments
from recording_archive.model import Attributes, PartId
from recording_archive.recovery.reindex import reindex
from recording_archive.recovery.result import Indexed, IndexResult
from recording_archive.reports import reading
from recording_archive.settings import Settings

Run = Callable[..., Summary]
NIGHT = datetime(2026, 11, 21, 1, tzinfo=UTC)


def dump(catalog: Catalog, table: Table, *without: str) -> list[dict[str, Any]]:
    """All rows of a table as dictionaries, in an order of their own."""
    with catalog.read() as connection:
        found = [dict(row) for row in connection.execute(select(table)).mappings()]
    kept = [{name: value for name, value in row.items() if name not in without} for row in found]
    return sorted(kept, key=str)


def at(archive: Archive, moment: datetime) -> Archive:
    """The archive with a clock that stands still, so that every time of a run is the same."""
    return replace(archive, clock=lambda: moment)


def lose_catalog(settings: Settings) -> None:
    for path in settings.root.parent.glob("catalog.db*"):
        path.unlink()


def rebuild(settings: Settings) -> Counter[tuple[str, str]]:
    return Counter((found.what, found.result.value) for found in reindex(settings))


def bad(settings: Settings) -> list[Indexed]:
    return [found for found in reindex(settings) if found.result is IndexResult.BAD]


def some_sidecar(archive: Archive) -> Path:
    key = next(key for key in archive.store.list("recordings/") if key.endswith(".json"))
    return archive.settings.root / key


def rewrite(path: Path, content: bytes) -> None:
    path.chmod(0o640)
    path.write_bytes(content)


def first_part(archive: Archive) -> PartId:
    with archive.catalog.read() as connection:
        stored = select(recordings).where(recordings.c.key.is_not(None)).order_by(recordings.c.interaction_id)
        return PartId(*tuple(connection.execute(stored.limit(1)).one())[:3])


def change(archive: Archive, kind: str, part: PartId, detail: dict[str, Any] | None = None, **columns: Any) -> None:
    """Change a recording with its event, as dispositions do."""
    same = [recordings.c[name] == value for name, value in part._asdict().items()]
    with archive.catalog.write() as connection:
        connection.execute(update(recordings).where(*same).values(**columns))
        record(connection, kind, part, at=archive.clock(), actor="ann", detail=detail)


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
    change(later, "quarantined", PartId(third.id, third.id), state="quarantined", quarantined_at=later.clock())
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
    attributes = {name: None for name in failing[0] if name in Attributes.__dataclass_fields__}
    for row in before[recordings]:
        row.update(attributes if row["failures"] else {})  # only the source knows those of what never was archived
    before[recordings].sort(key=str)
    for table, without in tables.items():
        assert dump(rebuilt.catalog, table, *without) == before[table], table.name
    assert seal(rebuilt) == newest(rebuilt.store)
    assert unknown_segments(rebuilt) == []
    rebuilt.catalog.close()


def test_the_last_word_on_a_recording_counts(archived: Archive) -> None:
    """Quarantined, restored and verified follow the order of the ledger, whatever the clock said at the time."""
    parts = [PartId(row["interaction_id"], row["recording_id"], 0) for row in dump(archived.catalog, recordings)]
    behind, ahead = at(archived, NIGHT - timedelta(days=3650)), at(archived, NIGHT + timedelta(days=3650))
    quarantine = {"state": "quarantined", "quarantined_at": ahead.clock()}
    until = {"restoredUntil": NIGHT.isoformat()}
    back = {"state": "archived", "quarantined_at": None}
    for part in parts[:3]:
        change(ahead, "quarantined", part, **quarantine)
    change(behind, "restored", parts[0], until, **back, deletion=until)
    seal(archived)
    change(behind, "restored", parts[1], **back)
    change(ahead, "verified", parts[3], {"ok": False}, verified_at=ahead.clock(), verified_ok=False)
    change(behind, "verified", parts[4], {"ok": False}, verified_at=behind.clock(), verified_ok=False)
    change(behind, "verified", parts[4], {"ok": True}, verified_at=behind.clock(), verified_ok=True)
    seal(archived)
    before = dump(archived.catalog, recordings)
    archived.catalog.close()
    lose_catalog(archived.settings)
    rebuild(archived.settings)
    assert dump(Catalog(archived.settings.catalog), recordings) == before


def test_a_catalog_from_a_backup_learns_what_became_of_its_recordings(archived: Archive) -> None:
    """A quarantine that only the ledger knows is one again; what the catalog did since is the last word."""
    part = first_part(archived)
    archived.catalog.close()
    file = archived.settings.root.parent / "catalog.db"
    backup = file.read_bytes()
    reopened = at(open_archive(archived.settings), NIGHT)
    change(reopened, "quarantined", part, state="quarantined", quarantined_at=NIGHT)
    seal(reopened)
    before = dump(reopened.catalog, recordings)
    reopened.catalog.close()
    for since in (False, True):
        lose_catalog(archived.settings)
        file.write_bytes(backup)
        old = open_archive(archived.settings)
        if since:
            change(old, "restored", part, state="archived", quarantined_at=None)
        old.catalog.close()
        assert rebuild(archived.settings)["ledger", "added"] == 1
        expected = {True: "archived", False: "quarantined"}[since]
        rows = dump(Catalog(archived.settings.catalog), recordings)
        assert [row["state"] for row in rows if row["interaction_id"] == part.interaction_id] == [expected]
        assert since or rows == before


def test_a_damaged_segment_is_named_and_the_rest_goes_on(archived: Archive) -> None:
    """None of its events is taken, those of the others are; sidecars stand in for what they tell."""
    seal(archived)
    record_one(archived, "ann")
    seal(archived)
    before = dump(archived.catalog, recordings)
    path = archived.settings.root / "ledger" / "000000000001.jsonl"
    content = path.read_bytes()
    rewrite(path, content.replace(b'"seen"', b'"sEEn"', 1))
    archived.catalog.close()
    lose_catalog(archived.settings)
    (problem,) = bad(archived.settings)
    assert problem.key == "ledger/000000000001.jsonl"
    assert "line 3 does not follow" in str(problem.problem)
    rebuilt = open_archive(archived.settings)
    kinds = Counter(row["kind"] for row in dump(rebuilt.catalog, events))
    assert kinds == {"archived": 6, "reported": 1, "played": 1}
    assert dump(rebuilt.catalog, recordings) == before
    assert unknown_segments(rebuilt) == [1]
    rebuilt.catalog.close()
    rewrite(path, content)
    assert rebuild(archived.settings)["ledger", "added"] == 1


@pytest.mark.parametrize("gone", [1, 2, 3])
def test_a_missing_segment_is_named(archived: Archive, gone: int) -> None:
    """In the middle by the next one; at the end by the catalog, if it is there."""
    record_one(archived, "ann")
    seal(archived)
    (archived.settings.root / f"ledger/{gone:012d}.jsonl").unlink()
    assert [problem.key for problem in bad(archived.settings)] == [f"ledger/{gone:012d}.jsonl"]


def record_one(archive: Archive, actor: str) -> None:
    with archive.catalog.write() as connection:
        record(connection, "played", PartId("call", "call"), at=archive.clock(), actor=actor)


def test_events_are_restored_once(archived: Archive) -> None:
    """A rebuilding that was stopped goes on, and one that is run again adds nothing."""
    before = dump(archived.catalog, events, "id")
    archived.catalog.close()
    lose_catalog(archived.settings)
    list(islice(reindex(archived.settings), 1))
    rebuild(archived.settings)
    rebuild(archived.settings)
    assert dump(Catalog(archived.settings.catalog), events, "id") == before


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


def test_a_report_without_its_event_gets_it(archived: Archive) -> None:
    """What a crash left behind is vouched for, on a filled catalog too, and once."""
    with archived.catalog.write() as connection:
        connection.execute(events.delete().where(events.c.kind == "reported"))
    rebuild(archived.settings)
    rebuild(archived.settings)
    (row,) = [row for row in dump(archived.catalog, events) if row["kind"] == "reported"]
    (report,) = dump(archived.catalog, runs)
    assert (row["run_id"], row["at"]) == (report["run_id"], report["closed_at"])
    for key, digest in row["detail"]["files"].items():
        assert sha256(archived.store.read(key)).hexdigest() == digest
    assert len(row["detail"]["files"]) == 4


def test_what_is_not_what_the_ledger_tells_is_named(archived: Archive) -> None:
    """A sidecar that was changed becomes no row, a report written anew with right checksums no run."""
    path = some_sidecar(archived)
    rewrite(path, path.read_bytes() + b"\n")
    report = next((archived.settings.root / "reports").rglob("*.json"))
    rewrite(report, report.read_bytes().replace(b'"failed": 0', b'"failed": 1'))
    files = (report.with_suffix(".csv"), report)
    sums = "".join(f"{sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
    rewrite(report.with_suffix(".sha256"), sums.encode())
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


def text(field: str, value: Any) -> Callable[[bytes], bytes]:
    """Change one field, ``object.key`` for an inner one, and leave the rest as it is."""

    def change(content: bytes) -> bytes:
        document = json.loads(content)
        *outer, name = field.split(".")
        inner = document
        for step in outer:
            inner = inner[step]
        inner[name] = value
        return json.dumps(document).encode()

    return change


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda content: content[:100], "JSONDecodeError"),
        (lambda _: b"[]", "TypeError"),
        (lambda _: b"\xff\xfe\x00", "damaged"),
        (text("media.sha256", "abc"), "(sha256)"),
        (text("media.bytes", "12"), "(size_bytes)"),
        (text("media.bytes", True), "(size_bytes)"),
        (text("object.bytes", -1), "(stored_bytes)"),
        (text("archivedAt", None), "(archived_at"),
        (text("archivedAt", "2026-11-20T00:00:00"), "(archived_at"),
        (text("interactionId", "../../etc"), "(interaction_id)"),
        (text("attributes.agentName", 7), "(agent_name)"),
        (text("checksum.result", "perhaps"), "(source_checksum)"),
        (text("part", 1), "moved or renamed"),
        (text("object.key", "recordings/other.wav.gz"), "moved or renamed"),
        (text("archiveId", "0" * 32), "belongs to archive 000"),
    ],
)
def test_a_damaged_sidecar_is_named_and_the_rest_goes_on(
    archived: Archive, damage: Callable[[bytes], bytes], told: str
) -> None:
    """No sidecar that is cut, mistyped, moved or foreign becomes a row, and none keeps the others from theirs."""
    path = some_sidecar(archived)
    rewrite(path, damage(path.read_bytes()))
    archived.catalog.close()
    lose_catalog(archived.settings)
    found = list(reindex(archived.settings))
    (problem,) = [each for each in found if each.result is IndexResult.BAD]
    assert problem.key.endswith(path.name)
    assert told in str(problem.problem)
    assert Counter(each.what for each in found if each.result is IndexResult.ADDED)["recordings"] == 5


def test_a_missing_object_is_named_and_not_called_verified(archived: Archive) -> None:
    """A sidecar alone becomes a row, so that nothing is forgotten, but one whose object is known to be bad."""
    path = some_sidecar(archived)
    path.with_name(path.name.replace(".json", ".wav.gz")).unlink()
    archived.catalog.close()
    lose_catalog(archived.settings)
    (problem,) = bad(archived.settings)
    assert "missing or has another size" in str(problem.problem)
    verdicts = [row["verified_ok"] for row in dump(Catalog(archived.settings.catalog), recordings)]
    assert sorted(verdicts) == [False, True, True, True, True, True]


def test_a_filled_catalog_gets_what_it_lacks(archived: Archive) -> None:
    """A lost row comes back, and one that only says discovered learns that the recording is archived."""
    before = dump(archived.catalog, recordings)
    lost, behind = before[0]["interaction_id"], before[1]["interaction_id"]
    stale = {"state": "discovered", "key": None, "archived_at": None, "failures": 2, "last_error": "x"}
    with archived.catalog.write() as connection:
        connection.execute(recordings.delete().where(recordings.c.interaction_id == lost))
        connection.execute(update(recordings).where(recordings.c.interaction_id == behind).values(**stale))
    counts = rebuild(archived.settings)
    assert counts["recordings", "added"] == 2
    assert counts["recordings", "known"] == 4
    assert dump(archived.catalog, recordings) == before


def test_what_differs_is_named_and_left_as_it_is(archived: Archive) -> None:
    """Whether catalog or sidecar is right is for a person to say."""
    victim = dump(archived.catalog, recordings)[0]["interaction_id"]
    with archived.catalog.write() as connection:
        other = {"sha256": "0" * 64, "size_bytes": 1}
        connection.execute(update(recordings).where(recordings.c.interaction_id == victim).values(**other))
    before = dump(archived.catalog, recordings)
    (problem,) = bad(archived.settings)
    assert "another sha256, size_bytes" in str(problem.problem)
    assert dump(archived.catalog, recordings) == before


def test_a_restored_backup_catches_up_without_counting_twice(archive: Archive, run: Run, cloud: Sandbox) -> None:
    """Failures that the backup has counted stay counted once; those of later reports are added."""
    cloud.faults.add(Fault("wrong_bytes", recording=cloud.library[0].id))
    run(at(archive, NIGHT), "scheduled__1")
    file = archive.settings.root.parent / "catalog.db"
    archive.catalog.close()
    backup = file.read_bytes()
    reopened = open_archive(archive.settings)
    run(at(reopened, NIGHT + timedelta(days=1)), "scheduled__2")
    before = dump(reopened.catalog, recordings)
    reopened.catalog.close()
    lose_catalog(archive.settings)
    file.write_bytes(backup)
    counts = rebuild(archive.settings)
    assert counts["runs", "added"] == counts["runs", "known"] == counts["failures", "added"] == 1
    assert dump(Catalog(archive.settings.catalog), recordings) == before


def test_the_last_report_of_a_repeated_run_counts(archive: Archive, run: Run) -> None:
    """A run that was cleared and run again, more than nine times, has one row, that of its tenth report."""
    for hour in range(10):
        summary = run(at(archive, NIGHT + timedelta(hours=hour)), "scheduled__1")
    before = dump(archive.catalog, runs), dump(archive.catalog, coverage, "id")
    assert "/10/" in summary.report_key
    archive.catalog.close()
    lose_catalog(archive.settings)
    rebuild(archive.settings)
    rebuilt = Catalog(archive.settings.catalog)
    assert (dump(rebuilt, runs), dump(rebuilt, coverage, "id")) == before


def test_a_damaged_report_is_named_and_an_unfinished_one_is_left_out(archived: Archive, run: Run) -> None:
    """A report whose bytes changed is a problem; one whose checksums were never written does not count."""
    run(archived, "manual__2")
    first, second = (archived.settings.root / key for key in archived.store.list("reports/") if key.endswith(".json"))
    rewrite(second, second.read_bytes().replace(b'"asked": 6', b'"asked": 7'))
    first.with_suffix(".sha256").unlink()
    archived.catalog.close()
    lose_catalog(archived.settings)
    (problem,) = bad(archived.settings)
    assert problem.key.endswith(f"{second.parent.parent.name}/1/compliance_report.json")
    assert dump(Catalog(archived.settings.catalog), runs) == []


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


def test_a_stored_report_reads_as_it_was_meant(archive: Archive) -> None:
    """Cells that were guarded against spreadsheets come back as they were; a head without its lists is damaged."""
    archive.store.put("reports/r/1/compliance_report.csv", b"interactionId,error\n'=a,'quoted'\n")
    archive.store.put("reports/r/1/compliance_report.json", b'{"runId": "r"}')
    rows = list(reading.read_rows(archive.store, "reports/r/1/compliance_report.json"))
    assert rows == [{"interactionId": "=a", "error": "'quoted'"}]
    with pytest.raises(PermanentError, match="damaged"):
        reading.read_report(archive.store, "reports/r/1/compliance_report.json")


def test_a_failure_of_an_archived_part_stays_a_line_of_the_report(archived: Archive, run: Run, cloud: Sandbox) -> None:
    """A source that changes its mind about a checksum fails its run, but the archived recording is no failure."""
    cloud.faults.add(Fault("set_fields", "query", recording=cloud.library[0].id, values={"checksum": "0" * 64}))
    summary = run(archived, "scheduled__second")
    assert summary.counts["failed"] == 1
    before = dump(archived.catalog, recordings)
    archived.catalog.close()
    lose_catalog(archived.settings)
    assert rebuild(archived.settings)["failures", "added"] == 0
    assert dump(Catalog(archived.settings.catalog), recordings) == before
