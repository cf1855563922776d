"""Requests of erasure: one enters, another approves, and only then anything goes."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from sqlalchemy import update

from recording_archive.archive import Archive
from recording_archive.catalog.tables import plans
from recording_archive.disposition.approval import approve
from recording_archive.disposition.erasure_request import (
    carry_out,
    carry_out_approved,
    enter,
    reject,
    required_request,
    waiting,
)
from recording_archive.disposition.erasure_subject import Subject
from recording_archive.disposition.plan_table import Plan
from recording_archive.disposition.report import close_left_open
from recording_archive.errors import PermanentError
from recording_archive.model import State
from support.contents import documents, events_of, ids, row_of
from support.retention_run import EXPIRED, at, check_gone, enforce, hold

STOP = threading.Event()


@pytest.fixture
def asked(archived: Archive) -> Plan:
    """A request for two recordings that ann entered."""
    return enter(archived, Subject(ids=tuple(ids(archived)[:2])), reason="request 7", actor="ann")


def test_nothing_goes_before_a_second_person_approved(archived: Archive, asked: Plan) -> None:
    """Neither by a run nor by hand, and not by who entered it."""
    assert carry_out_approved(archived, STOP) == []
    with pytest.raises(PermanentError, match="needs approval and has none"):
        carry_out(archived, asked.run_id, STOP)
    with pytest.raises(PermanentError, match="ANN triggered it; somebody else must approve"):
        approve(archived, asked.run_id, plan_sha256=str(asked.sha256), actor="ANN")
    assert row_of(archived, ids(archived)[0]).state == State.ARCHIVED
    assert [each.run_id for each in waiting(archived)] == [asked.run_id]


def test_an_approved_request_is_carried_out_once(archived: Archive, asked: Plan) -> None:
    """Certificate and report name both people; what is held meanwhile stays; then nothing is left to do."""
    first, second = ids(archived)[:2]
    approve(archived, asked.run_id, plan_sha256=str(asked.sha256), actor="carol")
    assert waiting(archived) == []
    hold_id = hold(archived, second)
    (done,) = carry_out_approved(archived, STOP)
    assert (done.erased, done.refused[0].why) == (1, f"held by {hold_id}")
    (certificate,) = documents(archived, "certificates").values()
    assert (certificate["by"], certificate["approvedBy"], certificate["plan"]) == ("ann", "carol", asked.sha256)
    assert json.loads(archived.store.read(done.report_key))["requested"] is True
    assert row_of(archived, first).state == State.ERASED
    assert carry_out_approved(archived, STOP) == []
    with pytest.raises(PermanentError, match="was answered before"):
        carry_out(archived, asked.run_id, STOP)
    check_gone(archived)


def test_a_stopped_attempt_leaves_it_to_the_next(archived: Archive, asked: Plan) -> None:
    """It gets no report before its end."""
    approve(archived, asked.run_id, plan_sha256=str(asked.sha256), actor="carol")
    stopped = threading.Event()
    stopped.set()
    assert carry_out_approved(archived, stopped) == []
    (done,) = carry_out_approved(archived, STOP)
    assert done.erased == 2


def test_a_rejected_request_erases_nothing(archived: Archive, asked: Plan) -> None:
    """The report says who said no and why; nobody can approve it any more, nor reject what is approved."""
    with pytest.raises(PermanentError, match="reason is empty"):
        reject(archived, asked.run_id, reason=" ", actor="carol")
    report = json.loads(archived.store.read(reject(archived, asked.run_id, reason="wrong number", actor="carol")))
    assert "carol rejected it: wrong number" in report["problems"]
    assert report["erased"] == 0
    assert [(event.actor, event.run_id) for event in events_of(archived, "rejected")] == [("carol", asked.run_id)]
    with pytest.raises(PermanentError, match="its report is written"):
        approve(archived, asked.run_id, plan_sha256=str(asked.sha256), actor="dave")
    again = enter(archived, Subject(ids=(ids(archived)[0],)), reason="request 7", actor="ann")
    approve(archived, again.run_id, plan_sha256=str(again.sha256), actor="dave")
    with pytest.raises(PermanentError, match="was approved, and cannot be rejected"):
        reject(archived, again.run_id, reason="too late", actor="ann")
    assert row_of(archived, ids(archived)[0]).state == State.ARCHIVED


def test_a_request_waits_for_its_answer_and_survives_retention(archived: Archive, asked: Plan) -> None:
    """Neither a newer plan nor weeks without an answer end it."""
    with archived.catalog.write() as connection:
        long_ago = EXPIRED - timedelta(days=20)
        connection.execute(update(plans).where(plans.c.run_id == asked.run_id).values(started_at=long_ago))
    later = at(archived, EXPIRED)
    enforce(later, "retention__1")
    assert close_left_open(later, "retention__2") == []
    assert required_request(later, asked.run_id).status is None


def test_what_is_no_request_is_said(archived: Archive) -> None:
    """The plan of a run is answered in Airflow, and nobody knows an invented one."""
    enforce(at(archived, EXPIRED), "retention__1")
    for run_id, why in (("nobody", "is no request"), ("retention__1", "waits in Airflow")):
        with pytest.raises(PermanentError, match=why):
            required_request(archived, run_id)
