"""Fixity over time: all of the archive is re-read, what rots is found, and nothing sound is called bad."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from genesys_sandbox import Sandbox, SandboxOptions
from recording_archive.archive import Archive, open_archive
from recording_archive.catalog.rows import MOST_BATCHES
from recording_archive.catalog.tables import fixity_runs, readings, recordings, runs
from recording_archive.errors import ConfigurationError, StoreError
from recording_archive.fixity import reading
from recording_archive.fixity.examine import examine
from recording_archive.fixity.report import write_report
from recording_archive.fixity.request import Scope, read_scope
from recording_archive.fixity.sweep import Swept, sweep
from recording_archive.store import sidecar
from recording_archive.store.base import LocalStore
from support.contents import all_rows, change, damage, details_of, flip, overwrite
from support.fixity_run import ALL, DUE, Verifying, document, found, head
from support.runner import Runner, settings_below

NOW = datetime(2027, 1, 1, 3, tzinfo=UTC)
GO_ON = threading.Event()


@pytest.fixture
def verifying(cloud: Sandbox) -> Verifying:
    """Runs of `verify_archive` whose repairs ask the sandbox."""
    return Verifying(cloud)


def at(archive: Archive, moment: datetime, **changes: Any) -> Archive:
    """The archive with a clock that stands still, and other settings."""
    return replace(archive, clock=lambda: moment, settings=archive.settings.model_copy(update=changes))


def read_in(archive: Archive, run_id: str) -> set[str]:
    """The interactions whose reading in a run left an event."""
    with archive.catalog.read() as connection:
        query = select(readings.c.interaction_id).where(readings.c.run_id == run_id, readings.c.outcome.is_not(None))
        return set(connection.execute(query).scalars())


def planned(archive: Archive, scope: Scope = DUE, run_id: str = "r") -> list[str]:
    """The interactions that a run would read, in their order."""
    reading.plan(archive, run_id, scope)
    query = select(readings.c.interaction_id).where(readings.c.run_id == run_id).order_by(readings.c.id)
    with archive.catalog.read() as connection:
        return list(connection.execute(query).scalars())


# What is read


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


def test_within_its_days_everything_is_read_once(archived: Archive, verifying: Verifying) -> None:
    """A third each day: after three days each recording was read once, and on the fourth it begins anew."""
    days = [at(archived, NOW + timedelta(days=day), verify_days=3) for day in range(4)]
    seen = []
    for day in days:
        before = {row.interaction_id: row.verified_at for row in all_rows(day)}
        verifying(day)
        seen.append({row.interaction_id for row in all_rows(day) if row.verified_at != before[row.interaction_id]})
    assert [len(each) for each in seen] == [2, 2, 2, 2]
    assert set.union(*seen[:3]) == {row.interaction_id for row in all_rows(archived)}
    assert seen[3] == seen[0]


def test_what_was_verified_longest_ago_comes_first(archived: Archive) -> None:
    """The order is that of the last reading, whatever the state of the recording in the archive."""
    ids = [row.interaction_id for row in all_rows(archived)]
    for number, each in enumerate(ids):
        change(archived, each, verified_at=NOW - timedelta(days=number))
    change(archived, ids[4], state="quarantined")
    assert planned(at(archived, NOW, verify_days=2)) == [ids[5], ids[4], ids[3]]


def test_the_byte_budget_is_kept(archived: Archive) -> None:
    """No more than the budget is read, but always one: what is too large would block the rest for ever."""
    sizes = {row.interaction_id: row.stored_bytes for row in all_rows(archived)}
    order = planned(archived, ALL)
    two = sizes[order[0]] + sizes[order[1]]
    assert planned(at(archived, NOW, verify_days=1, verify_bytes=two)) == order[:2]
    assert planned(at(archived, NOW, verify_days=1, verify_bytes=two + 1)) == order[:2]
    assert planned(at(archived, NOW, verify_days=1, verify_bytes=1)) == order[:1]
    assert planned(at(archived, NOW, verify_days=1, verify_bytes=1), ALL) == order


@pytest.mark.parametrize(
    "verdict",
    [{"verified_ok": False}, {"verified_ok": None}, {"verified_at": None}, {"verified_at": NOW + timedelta(days=900)}],
)
def test_what_cannot_wait_is_read_in_every_run(archived: Archive, verdict: dict[str, Any]) -> None:
    """A failed reading, none at all, and one in the future (a wrong clock) come beside the share of the day."""
    ids = [row.interaction_id for row in all_rows(archived)]
    for number, each in enumerate(ids):
        change(archived, each, verified_at=NOW - timedelta(days=number))
    change(archived, ids[0], **verdict)
    assert planned(at(archived, NOW, verify_days=6)) == [ids[0], ids[5]]


def test_only_what_is_to_stay_is_read(archived: Archive) -> None:
    """What is purged, erased, only discovered, or on its way out, is left alone."""
    first, second, third, fourth, *rest = (row.interaction_id for row in all_rows(archived))
    change(archived, first, state="purged")
    change(archived, second, state="erased", verified_ok=False)
    change(archived, third, state="discovered", verified_ok=None, verified_at=None)
    change(archived, fourth, state="quarantined", deleting_at=NOW)
    assert sorted(planned(at(archived, NOW, verify_days=1))) == sorted(rest)
    assert sorted(planned(at(archived, NOW), ALL)) == sorted(rest)


def test_named_interactions_alone(archived: Archive, verifying: Verifying) -> None:
    """Ids select; one that is not in the archive fails the run by name."""
    wanted = all_rows(archived)[2].interaction_id
    ended = verifying(archived, Scope(ids=(wanted, "never-was")))
    assert (ended.totals["read"], ended.totals["absent"]) == (1, 1)
    assert ended.problems == ("1 asked interactions are not in the archive",)
    assert ended.named == ("never-was: never archived: no recording of it is in the catalog",)
    (entry,) = document(archived, ended)["findings"]
    assert (entry["interactionId"], entry["outcome"]) == ("never-was", "absent")


def test_batches_are_cut_by_count_and_bytes_and_stay_few(archived: Archive) -> None:
    """Batches keep to both limits while they are few, and grow rather than become too many for Airflow."""
    sizes = [row.stored_bytes for row in all_rows(archived)]
    by_count = reading.plan(at(archived, NOW, verify_days=1, batch_parts=4), "count", DUE)
    assert [(batch.number, batch.parts) for batch in by_count] == [(1, 4), (2, 2)]
    assert sum(batch.expected_bytes for batch in by_count) == sum(sizes)
    by_bytes = reading.plan(at(archived, NOW, verify_days=1, batch_bytes=max(sizes)), "bytes", DUE)
    assert all(batch.expected_bytes <= max(sizes) for batch in by_bytes)
    many = [
        {"interaction_id": f"x{n}", "recording_id": "r", "part": 0, "state": "archived", "key": f"k{n}"}
        for n in range(3 * MOST_BATCHES)
    ]
    with archived.catalog.write() as connection:
        connection.execute(insert(recordings), many)
    batches = reading.plan(at(archived, NOW, batch_parts=1), "many", ALL)
    assert len(batches) <= MOST_BATCHES
    assert sum(batch.parts for batch in batches) == len(many) + 6


def test_a_batch_goes_on_where_it_was_stopped(archived: Archive) -> None:
    """A stopped task reads nothing more; the next attempt reads what is left, and a third finds nothing to do."""
    reading.plan(archived, "r", ALL)
    stop = threading.Event()
    stop.set()
    reading.read_batch(archived, "r", 1, stop=stop)
    assert read_in(archived, "r") == set()
    reading.read_batch(archived, "r", 1, stop=GO_ON)
    reading.read_batch(archived, "r", 1, stop=GO_ON)
    assert len(read_in(archived, "r")) == len(details_of(archived, "verified")) == 6


class StopsAtOnce(LocalStore):
    """Tells the reader to stop while the third object is read."""

    stop: threading.Event
    opened = 0

    def open(self, key: str) -> Any:
        self.opened += key.endswith(".gz")
        if self.opened == 3:
            self.stop.set()
        return super().open(key)


def test_what_was_read_before_the_stop_is_kept(archived: Archive) -> None:
    """A stop in the middle condemns nothing, and loses nothing of what was read."""
    store = StopsAtOnce(archived.settings.root)
    store.stop = threading.Event()
    one_by_one = replace(at(archived, NOW, compressors=1), store=store)
    reading.plan(one_by_one, "r", ALL)
    assert reading.read_batch(one_by_one, "r", 1, stop=store.stop) == 0
    assert [detail["ok"] for detail in details_of(archived, "verified")] == [True, True]
    reading.read_batch(archived, "r", 1, stop=GO_ON)
    assert Counter(found(archived, "r").values()) == {"sound": 6}


# What is found


@pytest.mark.parametrize("which", ["object", "sidecar"])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_turned_bit_is_found(archived: Archive, which: str, place: float, bit: int) -> None:
    """Whichever bit of object or sidecar turns, this recording is named, by the right one of the two."""
    row = all_rows(archived)[3]
    path = archived.settings.root / (row.key if which == "object" else sidecar.beside(row.key))
    content = path.read_bytes()
    overwrite(path, flip(int(place * len(content)), bit)(content))
    try:
        flaws = examine(archived, row)
        assert flaws is not None
        assert (bool(flaws.object), bool(flaws.sidecar), flaws.catalog) == (which == "object", which == "sidecar", "")
    finally:
        overwrite(path, content)
    assert examine(archived, row) is None


@pytest.mark.long
def test_every_byte_of_a_recording_is_watched(archived: Archive) -> None:
    """A turned bit at every single byte of an object and its sidecar is found."""
    row = min(all_rows(archived), key=lambda row: row.stored_bytes)
    for key in (row.key, sidecar.beside(row.key)):
        path = archived.settings.root / key
        content = path.read_bytes()
        path.chmod(0o640)
        for place in range(len(content)):
            path.write_bytes(flip(place, place % 8)(content))
            assert examine(archived, row) is not None, (key, place)
        path.write_bytes(content)
        assert examine(archived, row) is None


@pytest.fixture(scope="module")
def long_call(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an archive with one call of several members; never opened by a test."""
    folder = tmp_path_factory.mktemp("long")
    options = SandboxOptions(
        days=1, per_day=1, min_bytes=300_000, max_bytes=300_001, end=date(2026, 11, 21), rate_per_minute=0
    )
    archive = open_archive(settings_below(folder))
    with Sandbox(options) as cloud:
        assert not Runner(cloud)(archive, "scheduled__long").failed
    archive.catalog.close()
    return folder


def members(content: bytes) -> list[int]:
    """Where the members of a BGZF file begin."""
    places, place = [], 0
    while place < len(content):
        places.append(place)
        place += int.from_bytes(content[place + 16 : place + 18], "little") + 1
    return places


@pytest.mark.parametrize("number", [0, 1, 3, -1])
def test_truncation_between_members_is_found(long_call: Path, tmp_path: Path, number: int) -> None:
    """A file that ends where a member ends reads as gzip without complaint; it is found all the same."""
    shutil.copytree(long_call, tmp_path, dirs_exist_ok=True)
    archive = open_archive(settings_below(tmp_path))
    (row,) = all_rows(archive)
    path = archive.settings.root / row.key
    places = members(path.read_bytes())
    assert len(places) == 6  # the end marker is one
    damage(path, lambda content: content[: places[number]])
    reading.plan(archive, "r", ALL)
    assert reading.read_batch(archive, "r", 1, stop=GO_ON) == 1
    assert [row.verified_ok for row in all_rows(archive)] == [False]
    archive.catalog.close()


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


def test_an_unmounted_root_condemns_nothing(archived: Archive) -> None:
    """When the root goes away under the reader the task ends, and no recording is called bad."""
    reading.plan(archived, "r", ALL)
    root = archived.settings.root
    root.rename(root.with_name("elsewhere"))
    root.mkdir()
    with pytest.raises(StoreError, match="no longer holds archive"):
        reading.read_batch(archived, "r", 1, stop=GO_ON)
    assert all(row.verified_ok for row in all_rows(archived))
    assert read_in(archived, "r") == set()


class PurgedMeanwhile(LocalStore):
    """Loses an object to a lawful purge at the moment it is read."""

    purge: Callable[[], None]
    victim: str

    def open(self, key: str) -> Any:
        if key == self.victim:
            self.purge()
            (self.root / key).unlink(missing_ok=True)
        return super().open(key)


def test_what_leaves_while_it_is_read_is_gone_and_not_bad(archived: Archive) -> None:
    """A purge between plan and reading is neither damage nor a reading."""
    row = all_rows(archived)[1]
    store = PurgedMeanwhile(archived.settings.root)
    store.victim, store.purge = row.key, lambda: change(archived, row.interaction_id, state="purged")
    reading.plan(archived, "r", ALL)
    assert reading.read_batch(replace(archived, store=store), "r", 1, stop=GO_ON) == 0
    assert Counter(found(archived, "r").values()) == {"sound": 5, "gone": 1}
    ended = write_report(archived, "r")
    assert ended.totals["gone"] == 1
    assert not any("damaged" in problem for problem in ended.problems)


def test_a_sidecar_without_row_fails_the_run(archived: Archive, verifying: Verifying) -> None:
    """A catalog that lacks a recording of the archive is an error, with its remedy."""
    lost = all_rows(archived)[0]
    with archived.catalog.write() as connection:
        connection.execute(recordings.delete().where(recordings.c.interaction_id == lost.interaction_id))
    ended = verifying(archived)
    assert "1 sidecars are not in the catalog: run this DAG with reindex" in ended.problems
    assert found(archived, ended.run_id) == {lost.interaction_id: "stray"}


def test_a_changed_document_fails_the_run(archived: Archive, verifying: Verifying) -> None:
    """The ledger is checked with the recordings: a report that was changed is named."""
    verifying(archived)
    earlier = next(key for key in archived.store.list("reports/") if key.endswith("compliance_report.json"))
    damage(archived.settings.root / earlier, lambda content: content.replace(b'"successful": 6', b'"successful": 7'))
    ended = verifying(archived)
    assert any(earlier in problem and "ledger" in problem for problem in ended.problems)
    assert document(archived, ended)["ledgerFlaws"][0]["place"] == earlier


# The books


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


def test_books_that_a_stopped_run_left_open_are_closed(archived: Archive, verifying: Verifying) -> None:
    """One run is open at a time; what a stopped one left is closed as failed, and its rows go."""
    reading.plan(archived, "stopped", ALL)
    verifying(archived, run_id="next")
    with archived.catalog.read() as connection:
        status = dict(connection.execute(select(fixity_runs.c.run_id, fixity_runs.c.status)).all())
    assert status == {"stopped": "failed", "next": "success"}
    assert found(archived, "stopped") == {}


def test_no_row_of_a_sound_recording_stays(archived: Archive, verifying: Verifying) -> None:
    """The books do not grow with the archive: bad rows stay for people to look at, the others go."""
    row = all_rows(archived)[0]
    change(archived, row.interaction_id, queue_name="another")
    verifying(archived, ALL, "r")
    assert found(archived, "r") == {row.interaction_id: "bad"}


@pytest.mark.parametrize(
    ("conf", "says"),
    [
        ({"interactionID": "a"}, "Unknown parameter interactionID"),
        ({"everything": "yes"}, "everything: give true or false"),
        ({"interactionIds": 5}, "interactionIds: give a text"),
        ({"interactionIds": "a", "everything": True}, "exclude each other"),
        ({"sweep_only": True, "everything": True}, "exclude each other"),
    ],
)
def test_wrong_parameters_are_refused_by_name(conf: dict[str, Any], says: str) -> None:
    """What the form cannot refuse, the plan does."""
    with pytest.raises(ConfigurationError, match=says):
        read_scope(conf)


def test_parameters_become_a_scope() -> None:
    """Ids come as a text, a list in a text, or an array; reindex goes with anything."""
    assert read_scope({}).kind == "due"
    assert read_scope({"interactionIds": "a, b", "reindex": True}) == Scope(ids=("a", "b"), reindex=True)
    assert read_scope({"everything": True, "sweep_only": None}).kind == "everything"
    assert read_scope({"sweep_only": True}).kind == "sweep"


# Left-overs


def age(path: Path, days: float, now: datetime) -> None:
    moment = (now - timedelta(days=days)).timestamp()
    os.utime(path, (moment, moment))


def test_left_overs_are_swept_by_age_and_name(archived: Archive) -> None:
    """Old temporary names and old staged files of closed runs go; open runs, young files and strangers stay."""
    now = datetime.now(UTC)
    folder = (archived.settings.root / all_rows(archived)[0].key).parent
    (folder / f".{'0' * 32}.tmp").write_bytes(b"")
    age(folder / f".{'0' * 32}.tmp", 3, now)
    (folder / f".{'1' * 32}.tmp").write_bytes(b"")
    with archived.catalog.write() as connection:
        connection.execute(insert(runs).values(run_id="open", source="s", kind="range", started_at=now))
        closed = {"kind": "due", "started_at": now, "facts": {}, "closed_at": now}
        connection.execute(insert(fixity_runs).values(run_id="verified", **closed))
    gone, stays = [], []
    for name, files, kept in (
        ("scheduled__first", ("7", "8.part", "8.resume"), ("notes.txt",)),
        ("fixity-verified", ("repair-3",), ()),
        ("open", (), ("9",)),
        ("nobody", (), ("10",)),
    ):
        place = archived.staging.scratch(name)
        for file in (*files, *kept):
            (place / file).write_bytes(b"")
            age(place / file, 3, now)
        age(place, 3, now)
        gone += [place / file for file in files]
        stays += [place / file for file in kept]
    young = archived.settings.staging / "scheduled__first" / "11"
    young.write_bytes(b"")
    assert sweep(at(archived, now)) == Swept(temporary=1, staged=4)
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in (*stays, young, folder / f".{'1' * 32}.tmp"))
    assert not (archived.settings.staging / "fixity-verified").exists()


def test_a_missing_staging_folder_is_no_error(archived: Archive) -> None:
    """Before the first download there is nothing to sweep."""
    shutil.rmtree(archived.settings.staging, ignore_errors=True)
    assert sweep(archived) == Swept(0, 0)
