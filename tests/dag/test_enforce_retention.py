"""`enforce_retention` under a real scheduler: who is asked, what goes, and that nothing goes unasked.

The recordings are days old and kept for 90, so that every plan here looks ahead, as a drill may. Each run goes on from
what the one before left: the first day is quarantined and purged, the second one asked for again and again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import create_engine, select

from genesys_sandbox.airflow import USER
from recording_archive.archive import open_archive
from recording_archive.catalog.tables import events, recordings
from recording_archive.disposition import erasure_request
from recording_archive.disposition.approval import approve
from recording_archive.disposition.erasure_subject import Subject
from recording_archive.settings import Settings
from support import approving
from support.dag_world import KEEPER, PER_DAY, RUN_S, TODAY, World, day, eventually

pytestmark = pytest.mark.airflow

DAG = "enforce_retention"
PURGED, ASKED = 5, 4  # days ago: one that goes, and one that is asked for
FORM = {
    "dry_run": False,
    **dict.fromkeys(("as_of", "max_delete_count", "max_delete_bytes")),
    **dict.fromkeys(("eraseNumbers", "eraseContacts", "eraseIds", "eraseReason")),
}
"""What the trigger form sends when nothing was entered."""

CAP = {"max_delete_count": PER_DAY - 1}


@pytest.fixture(scope="module")
def kept(world: World) -> World:
    """The world with both days archived, and the DAG at work."""
    world.sandbox.faults.clear()
    world.run("to_be_kept", {"startDate": day(PURGED), "endDate": day(ASKED)})
    world.airflow.await_dag(DAG)
    world.airflow.unpause(DAG)
    return world


@pytest.fixture(scope="module")
def unanswered(kept: World) -> Iterator[str]:
    """A run above its cap whom nobody answers: other tests go on while it waits."""
    kept.airflow.trigger(DAG, "unanswered", as_of(ASKED) | CAP)
    eventually(lambda: question(kept, "unanswered"), timeout_s=60)
    return "unanswered"


def as_of(ago: int) -> dict[str, str]:
    """The params by which everything of that day and before has expired."""
    return {"as_of": (TODAY + timedelta(days=91 - ago)).isoformat()}


def enforce(world: World, run_id: str, conf: dict[str, Any], *, expect: str = "success") -> dict[str, Any]:
    """Trigger a run, wait for its end in state ``expect``, and return its report."""
    world.airflow.trigger(DAG, run_id, conf)
    return finish(world, run_id, expect=expect)


def finish(world: World, run_id: str, *, expect: str = "success") -> dict[str, Any]:
    """Wait for a run's end and return its report."""
    state = world.airflow.wait(DAG, run_id, timeout_s=RUN_S)
    found = report(world, run_id)
    assert state == expect, found
    return found


def report(world: World, run_id: str) -> dict[str, Any]:
    """The newest report of a run."""
    found = [json.loads(file.read_text()) for file in sorted(world.root.glob("reports/*/*/*/retention_report.json"))]
    return next(report for report in reversed(found) if report["runId"] == run_id)


def states(world: World, ago: int) -> dict[str, int]:
    """How many recordings of a day are in which state."""
    query = select(recordings.c.state).where(recordings.c.interaction_id.in_(world.ids(ago)))
    found = [row.state for row in rows(world, query)]
    return {state: found.count(state) for state in set(found)}


def rows(world: World, query: Any) -> list[Any]:
    """What the catalog answers."""
    engine = create_engine(f"sqlite:///{world.root.parent / 'catalog.db'}")
    with engine.connect() as connection:
        found = list(connection.execute(query))
    engine.dispose()
    return found


def objects(world: World, ago: int) -> list[Path]:
    """The archived objects of a day."""
    return sorted(world.root.glob(f"recordings/*/*/*/day={day(ago)[-2:]}/*.gz"))


def task(world: World, run_id: str, task_id: str = "approve_plan") -> str:
    """The state of a task of a run."""
    return next(each["state"] for each in world.airflow.tasks(DAG, run_id) if each["task_id"] == task_id)


def question(world: World, run_id: str) -> dict[str, Any] | None:
    """What a person is asked, once somebody is."""
    return approving.question(world.airflow, run_id)


def answer(world: World, run_id: str, option: str, *, user: str = KEEPER) -> dict[str, Any]:
    """Answer as a user over Airflow's API; return the question."""
    return approving.answer(world.airflow, run_id, option, user=user)


def test_nothing_to_do_is_a_success_with_a_report(kept: World) -> None:
    """The schedule alone plans, finds nothing expired, asks nobody, and says so in a report."""
    runs = eventually(lambda: kept.airflow.call("GET", f"/dags/{DAG}/dagRuns")["dag_runs"])
    found = finish(kept, runs[0]["dag_run_id"])
    assert (found["planned"], found["problems"], found["triggeredBy"]) == (0, [], None)
    assert found["kept"]["too_young"] >= 2 * PER_DAY
    assert task(kept, found["runId"]) == "skipped"


@pytest.mark.parametrize(
    "conf",
    [
        {"dry_run": "yes"},
        {"as_of": "tomorrow"},
        {"max_delete_count": -1},
        {"max_delete_bytes": "1 GB"},
        {"eraseIds": "../x"},
        {"eraseNumbers": [5]},
        {"eraseReason": ""},
    ],
)
def test_wrong_parameters_are_refused_at_trigger_time(kept: World, conf: dict[str, Any]) -> None:
    """What the form's schema can refuse starts no run."""
    with pytest.raises(RuntimeError, match=" 400 "):
        kept.airflow.trigger(DAG, "refused", conf)


def test_unknown_parameter_fails_the_run(kept: World) -> None:
    """A misspelt parameter is refused by name, before anything is planned, and the report tells it."""
    found = enforce(kept, "misspelt", as_of(PURGED) | {"dryrun": True}, expect="failed")
    assert "Unknown parameter dryrun" in found["problems"][0]
    assert states(kept, PURGED) == {"archived": PER_DAY}


def test_failed_task_fails_the_run(kept: World) -> None:
    """A task that failed without a word, as a killed one does, makes the run failed although its report was written."""
    run_id = kept.airflow.call("GET", f"/dags/{DAG}/dagRuns?run_type=scheduled")["dag_runs"][0]["dag_run_id"]
    path = f"/dags/{DAG}/dagRuns/{quote(run_id)}/taskInstances/purge"
    kept.airflow.call("PATCH", path, {"new_state": "failed"})
    body = {"dry_run": False, "dag_run_id": run_id, "task_ids": ["write_report"], "only_failed": False}
    kept.airflow.call("POST", f"/dags/{DAG}/clearTaskInstances", body | {"reset_dag_runs": True})
    assert finish(kept, run_id, expect="failed")["problems"] == ["purge failed: its log says why"]


def test_dry_run_changes_nothing(kept: World) -> None:
    """A dry run lists what would go, above any cap, asks nobody and leaves everything as it is."""
    before = objects(kept, PURGED)
    found = enforce(kept, "dry", as_of(PURGED) | CAP | {"dry_run": True})
    assert {(entry["action"], entry["outcome"], entry["why"]) for entry in found["entries"]} == {
        ("quarantine", "kept", "dry run")
    }
    assert {entry["interactionId"] for entry in found["entries"]} == set(kept.ids(PURGED))
    assert task(kept, "dry") == "skipped"
    assert states(kept, PURGED) == {"archived": PER_DAY}
    assert objects(kept, PURGED) == before


def test_the_first_quarantine_asks(kept: World) -> None:
    """What expired is quarantined, with every byte left where it is; the form's blanks do no harm."""
    kept.airflow.trigger(DAG, "quarantine", FORM | as_of(PURGED))
    asked = answer(kept, "quarantine", "Approve")
    found = finish(kept, "quarantine")
    assert "- nothing was foretold for this day" in asked["body"]
    assert (found["quarantined"], found["purged"], found["approvedBy"]) == (PER_DAY, 0, KEEPER)
    assert states(kept, PURGED) == {"quarantined": PER_DAY}
    assert len(objects(kept, PURGED)) == PER_DAY


def test_quarantine_over_is_purged_with_certificate(kept: World) -> None:
    """The first purge asks; it deletes the bytes, leaves tombstones and a certificate, and emits counts and head."""
    kept.airflow.trigger(DAG, "purge", as_of(PURGED))
    assert "- the first purge" in answer(kept, "purge", "Approve")["body"]
    found = finish(kept, "purge")
    assert (found["purged"], found["quarantined"], found["problems"]) == (PER_DAY, 0, [])
    assert states(kept, PURGED) == {"purged": PER_DAY}
    assert objects(kept, PURGED) == []
    assert len(list(kept.root.glob("tombstones/*/*.json"))) == PER_DAY
    assert all((kept.root / f"certificates/{number}.json").exists() for number in found["certificates"])
    assert {entry["certificate"] for entry in found["entries"]} == set(found["certificates"])
    sent = kept.airflow.call("GET", f"/assets/events?source_dag_id={DAG}&source_run_id=purge")["asset_events"]
    assert sent[0]["extra"]["purged"] == PER_DAY
    assert ":" in sent[0]["extra"]["ledgerHead"]


def test_what_was_foretold_asks_nobody(kept: World) -> None:
    """The next day is quarantined without approval; found too young again, it comes back without one as well."""
    found = enforce(kept, "foretold", FORM | as_of(ASKED))
    assert (found["quarantined"], found["caps"], found["approvedBy"]) == (PER_DAY, [], None)
    assert task(kept, "foretold") == "skipped"
    assert states(kept, ASKED) == {"quarantined": PER_DAY}
    found = enforce(kept, "back", {})
    assert (found["restored"], found["caps"]) == (PER_DAY, [])
    assert states(kept, ASKED) == {"archived": PER_DAY}


@pytest.mark.usefixtures("unanswered")
def test_purged_never_come_back(kept: World) -> None:
    """Archiving the purged day again fetches nothing of it, and counts it as lawfully gone."""
    before = kept.sandbox.requests.sent["media"]
    found = kept.run("purged_again", {"startDate": day(PURGED), "endDate": day(PURGED)})
    assert (found["asked"], found["excluded"], found["successful"]) == (PER_DAY, PER_DAY, 0)
    assert kept.sandbox.requests.sent["media"] == before
    assert objects(kept, PURGED) == []


def test_no_answer_is_no(kept: World, unanswered: str) -> None:
    """A plan above its cap that nobody answers in time fails the run, and nothing of it is done."""
    found = finish(kept, unanswered, expect="failed")
    assert any("nobody answered" in problem for problem in found["problems"])
    waits = f"enforce_retention: run {unanswered} waits for a person: Approve: "
    assert kept.inbox.about(waits), kept.inbox.texts
    assert eventually(lambda: kept.inbox.about(f"enforce_retention: run {unanswered} failed: nobody answered"))
    assert {entry["why"] for entry in found["entries"]} == {"the plan was not approved"}
    assert states(kept, ASKED) == {"archived": PER_DAY}


def test_rejected_plan_deletes_nothing(kept: World) -> None:
    """A no fails the run, with the name of who said it; cleared, the run does not ask about another plan."""
    kept.airflow.trigger(DAG, "rejected", as_of(ASKED) | CAP)
    answer(kept, "rejected", "Reject")
    found = finish(kept, "rejected", expect="failed")
    assert f"{KEEPER} rejected the plan" in found["problems"][0]
    assert states(kept, ASKED) == {"archived": PER_DAY}


def test_cleared_run_does_not_ask_again(kept: World) -> None:
    """Airflow would show the question of the first plan for the second: the cleared run fails instead of asking."""
    body = {"dry_run": False, "dag_run_id": "rejected", "only_failed": False, "reset_dag_runs": True}
    kept.airflow.call("POST", f"/dags/{DAG}/clearTaskInstances", body)
    found = finish(kept, "rejected", expect="failed")
    assert task(kept, "rejected") == "failed"
    assert "cleared after it had asked" in found["problems"][0]
    assert states(kept, ASKED) == {"archived": PER_DAY}


def test_who_triggered_cannot_approve(kept: World) -> None:
    """An approval by the user who triggered the run is refused by name, and nothing is done."""
    kept.airflow.trigger(DAG, "own", as_of(ASKED) | CAP)
    answer(kept, "own", "Approve", user=USER)
    found = finish(kept, "own", expect="failed")
    assert any(f"{USER} triggered it" in problem for problem in found["problems"])
    assert (found["triggeredBy"], found["approvedBy"]) == (USER, None)
    assert states(kept, ASKED) == {"archived": PER_DAY}


def test_above_the_cap_somebody_else_approves(kept: World) -> None:
    """The run waits, tells what it is about, and goes on when another user approves; the report names that user."""
    kept.airflow.trigger(DAG, "approved", as_of(ASKED) | CAP)
    asked = answer(kept, "approved", "Approve")
    found = finish(kept, "approved")
    assert f"{PER_DAY} recordings to quarantine" in asked["subject"]
    for told in (found["plan"], found["caps"][0], found["policy"], "default", "archive/retention/runs/approved"):
        assert told in asked["body"]
    assert (found["approvedBy"], found["quarantined"]) == (KEEPER, PER_DAY)
    assert states(kept, ASKED) == {"quarantined": PER_DAY}
    (approval,) = rows(kept, select(events).where(events.c.kind == "approved", events.c.run_id == "approved"))
    assert (approval.actor, approval.detail["plan"]) == (KEEPER, found["plan"])


def test_erasure_without_a_shell(kept: World) -> None:
    """Given ids and a reason the run erases them at once, whatever their age, after another user's approval."""
    first, second, *_ = kept.ids(ASKED)
    kept.airflow.trigger(DAG, "erased", {"eraseIds": f"{first}, {second}", "eraseReason": "request 17"})
    asked = answer(kept, "erased", "Approve")
    found = finish(kept, "erased")
    assert "2 recordings to erase" in asked["subject"]
    assert "request 17" in asked["body"]
    assert (found["kind"], found["erased"], found["approvedBy"]) == ("erasure", 2, KEEPER)
    assert {entry["interactionId"] for entry in found["entries"]} == {first, second}
    assert states(kept, ASKED) == {"quarantined": PER_DAY - 2, "erased": 2}
    assert len(objects(kept, ASKED)) == PER_DAY - 2


def test_a_request_approved_in_the_archive_is_carried_out_by_the_next_run(kept: World) -> None:
    """Whatever that run itself is about; one that only plans leaves it."""
    victim = kept.ids(ASKED)[2]
    archive = open_archive(Settings(url=str(kept.root), catalog_url=f"sqlite:///{kept.root.parent / 'catalog.db'}"))
    asked = erasure_request.enter(archive, Subject(ids=(victim,)), reason="request 18", actor="ann")
    approve(archive, asked.run_id, plan_sha256=str(asked.sha256), actor="carol")
    archive.catalog.close()
    enforce(kept, "only_planned", {"dry_run": True})
    assert states(kept, ASKED) == {"quarantined": PER_DAY - 2, "erased": 2}
    enforce(kept, "carries_out", {})
    assert task(kept, "carries_out", "erase_requested") == "success"
    assert states(kept, ASKED)["erased"] == 3
    found = report(kept, asked.run_id)
    assert (found["triggeredBy"], found["approvedBy"], found["erased"], found["problems"]) == ("ann", "carol", 1, [])
