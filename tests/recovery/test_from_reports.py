"""Reports of a lost catalog: each gets its event, damaged ones are named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256

import pytest

from recording_archive.archive import Archive
from recording_archive.archiving.report import Summary
from recording_archive.catalog.database import Catalog
from recording_archive.catalog.tables import coverage, events, runs
from recording_archive.errors import PermanentError
from recording_archive.reports import reading
from support.contents import overwrite
from support.rebuilding import (
    NIGHT,
    at,
    bad,
    dump,
    lose_catalog,
    rebuild,
)

Run = Callable[..., Summary]


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
    overwrite(second, second.read_bytes().replace(b'"asked": 6', b'"asked": 7'))
    first.with_suffix(".sha256").unlink()
    archived.catalog.close()
    lose_catalog(archived.settings)
    (problem,) = bad(archived.settings)
    assert problem.key.endswith(f"{second.parent.parent.name}/1/compliance_report.json")
    assert dump(Catalog(archived.settings.catalog), runs) == []


def test_a_stored_report_reads_as_it_was_meant(archive: Archive) -> None:
    """Cells that were guarded against spreadsheets come back as they were; a head without its lists is damaged."""
    archive.store.put("reports/r/1/compliance_report.csv", b"interactionId,error\n'=a,'quoted'\n")
    archive.store.put("reports/r/1/compliance_report.json", b'{"runId": "r"}')
    rows = list(reading.read_rows(archive.store, "reports/r/1/compliance_report.json"))
    assert rows == [{"interactionId": "=a", "error": "'quoted'"}]
    with pytest.raises(PermanentError, match="damaged"):
        reading.read_report(archive.store, "reports/r/1/compliance_report.json")
