"""The fixity report: a run is counted, its damage is named, and the ledger vouches for it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from sqlalchemy import select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import fixity_runs
from recording_archive.fixity import reading
from recording_archive.fixity.report import write_report
from recording_archive.fixity.request import Scope
from support.contents import all_rows, change, damage, details_of, flip, overwrite
from support.fixity_run import ALL, Verifying, document, found, head


def test_a_sound_archive_is_read_and_reported(archived: Archive, verifying: Verifying) -> None:
    """Everything is read, counted, dated and told; the report is vouched for by the ledger."""
    ended = verifying(archived, ALL)
    assert not ended.failed, ended.problems
    after, told_of = all_rows(archived), document(archived, ended)
    assert all(row.verified_ok and row.verified_at > row.archived_at for row in after)
    stored = sum(row.stored_bytes for row in after)
    assert (told_of["read"], told_of["sound"], told_of["bytesRead"], told_of["damaged"]) == (6, 6, stored, 0)
    assert told_of["oldestVerification"] == min(row.verified_at for row in after).isoformat()
    assert (told_of["strays"], told_of["ledgerFlaws"], told_of["problems"], told_of["findings"]) == (0, [], [], [])
    (event,) = (detail for detail in details_of(archived, "reported") if detail.get("kind") == "fixity")
    folder = archived.settings.root / Path(ended.report_key).parent
    assert {archived.settings.root / key for key in event["files"]} == set(folder.glob("fixity_report.*"))
    checked = subprocess.run(["sha256sum", "--quiet", "-c", "fixity_report.sha256"], cwd=folder, check=False)
    assert checked.returncode == 0
    assert ended.ledger_head == head(archived) != told_of["ledgerHead"]
    with archived.catalog.read() as connection:
        run = connection.execute(select(fixity_runs)).one()
    assert (run.status, run.report_key, run.planned) == ("success", ended.report_key, 6)
    assert found(archived, ended.run_id) == {}  # the sound are forgotten


def test_named_interactions_alone(archived: Archive, verifying: Verifying) -> None:
    """Ids select; one that is not in the archive fails the run by name."""
    wanted = all_rows(archived)[2].interaction_id
    ended = verifying(archived, Scope(ids=(wanted, "never-was")))
    assert (ended.totals["read"], ended.totals["absent"]) == (1, 1)
    assert ended.problems == ("1 asked interactions are not in the archive",)
    assert ended.named == ("never-was: never archived: no recording of it is in the catalog",)
    (entry,) = document(archived, ended)["findings"]
    assert (entry["interactionId"], entry["outcome"]) == ("never-was", "absent")


def test_damage_is_told_by_recording_and_none_falsely(archived: Archive, verifying: Verifying) -> None:
    """Rot, swap, loss and addition at once: each is named as what it is, the sound one is not."""
    flipped, one, two, lost, sound, catalog = all_rows(archived)
    root = archived.settings.root
    damage(root / flipped.key, flip(1000))
    swapped = (root / one.key).read_bytes(), (root / two.key).read_bytes()
    overwrite(root / one.key, swapped[1])
    overwrite(root / two.key, swapped[0])
    (root / lost.key).unlink()
    change(archived, catalog.interaction_id, queue_name="another")
    (root / lost.key).with_name("copy~copy~0.wav.gz").write_bytes(b"")
    verifying.read_all(archived, "r", ALL)
    ended = verifying(archived, ALL, "r2")
    bad = {row.interaction_id for row in (flipped, one, two, lost, catalog)}
    outcomes = found(archived, "r2")
    assert {each for each, outcome in outcomes.items() if outcome in {"bad", "repaired"}} == bad
    assert outcomes[catalog.interaction_id] == "bad"
    assert sum(outcome == "stray" for outcome in outcomes.values()) == ended.totals["strays"] == 1
    assert sound.interaction_id not in outcomes
    assert ended.problems == ("1 recordings are damaged and were not repaired",)
    assert catalog.interaction_id in ended.named[0]
    assert "the catalog differs from the sidecar" in ended.named[0]


def test_what_no_task_read_fails_the_run(archived: Archive) -> None:
    """Rows without an outcome are counted, not forgotten."""
    reading.plan(archived, "r", ALL)
    ended = write_report(archived, "r")
    assert ended.totals["unread"] == 6
    assert "6 recordings were not read: the logs of their batches say why" in ended.problems
    assert "the ledger was not verified: the log of its task says why" in ended.problems


def test_a_run_without_a_plan_is_told(archived: Archive) -> None:
    """A report is written even when nothing else was."""
    ended = write_report(archived, "r")
    assert ended.problems[0] == "the plan was never made: its task's log says why"
    assert document(archived, ended)["planned"] == 0


def test_a_report_again_tells_the_same(archived: Archive, verifying: Verifying) -> None:
    """The rows of the sound are dropped with the first report; the second counts them all the same, under number 2."""
    first = verifying(archived, run_id="r")
    second = write_report(archived, "r")
    assert second.totals == first.totals
    assert [first.report_key.split("/")[3], second.report_key.split("/")[3]] == ["1", "2"]
