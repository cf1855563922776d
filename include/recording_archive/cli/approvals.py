"""`recording-archive approve` and `reject`: the second person's answer to a request of erasure."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recording_archive.cli import terminal
from recording_archive.cli.basics import Json, exit_bad_if, opened_archive, user

if TYPE_CHECKING:
    from recording_archive.archive import Archive
    from recording_archive.disposition.erasure import Erasure
    from recording_archive.disposition.erasure_doubts import Doubt
    from recording_archive.disposition.plan_table import Plan

# ruff: noqa: PLC0415 - `recording-archive --help` must not wait for SQLAlchemy, let alone for Airflow

_COLUMNS = ("request", "entered by", "since", "recordings", "size", "reason")


def approve(
    request: Annotated[str | None, typer.Argument(metavar="REQUEST", help="Its id; without it, list all.")] = None,
    plan: Annotated[str | None, typer.Option(help="SHA-256 of what you approve; without it, ask.")] = None,
    json: Json = False,
) -> None:
    """Approve what another person asked to erase, and erase it.

    Lists what would go and asks, or takes the hash of the list. What is held stays. Without an id: what waits.
    """
    from recording_archive.disposition import approval, erasure_request
    from recording_archive.disposition.erasure_doubts import noted_doubts

    with opened_archive() as archive:
        if request is None:
            _list(erasure_request.waiting(archive), json=json)
            return
        asked, ended = erasure_request.required_request(archive, request), None
        doubts = noted_doubts(archive, asked.run_id)
        if not json:
            _show(archive, asked)
            tell_doubts(doubts)
        if agreed := plan or _agreed(asked):
            approval.approve(archive, asked.run_id, plan_sha256=agreed, actor=user())
            ended = erasure_request.carry_out(archive, asked.run_id, threading.Event())
    if json:
        terminal.document({"request": asked.run_id, "plan": asked.sha256, **doubts_to_json(doubts), **outcome(ended)})
    elif ended:
        tell(ended)
    else:
        terminal.say(f"nothing erased: answer yes on a terminal, or give --plan {asked.sha256}")
    exit_bad_if(ended is None or bool(ended.refused))


def reject(
    request: Annotated[str, typer.Argument(metavar="REQUEST", help="Its id, which `approve` lists.")],
    reason: Annotated[str, typer.Option(help="Why nothing is erased; kept for good.")],
    json: Json = False,
) -> None:
    """Reject or withdraw a request of erasure; nothing is erased."""
    from recording_archive.disposition import erasure_request

    with opened_archive() as archive:
        report = erasure_request.reject(archive, request, reason=reason, actor=user())
    if json:
        terminal.document({"request": request, "report": report})
    else:
        terminal.say(f"rejected: {request}")
        terminal.say(f"report: {report}")


def tell(ended: Erasure) -> None:
    """Print the end of an erasure."""
    for refusal in ended.refused:
        terminal.say(f"not erased: {refusal.part}: {refusal.why}")
    terminal.say(f"{ended.erased} recordings erased, {len(ended.refused)} not")
    for number in ended.certificates:
        terminal.say(f"certificate: {number}")
    terminal.say(f"report: {ended.report_key}")


def tell_doubts(doubts: Sequence[Doubt]) -> None:
    """Print the recordings that may be meant, which a person is to look at."""
    if doubts:
        title = "Look at these: they may be meant, and are not erased; name those that are by --id"
        terminal.table(title, ("part", "why"), ((doubt.part, doubt.why) for doubt in doubts))


def doubts_to_json(doubts: Sequence[Doubt]) -> dict[str, Any]:
    """Return the same as JSON."""
    return {"lookAtThese": [doubt.to_json() for doubt in doubts]}


def outcome(ended: Erasure | None) -> dict[str, Any]:
    """Return the end of an erasure as JSON, or that of none."""
    if ended is None:
        return {"erased": 0, "refused": [], "certificates": [], "report": None}
    return {
        "erased": ended.erased,
        "refused": [{"part": str(refusal.part), "problem": refusal.why} for refusal in ended.refused],
        "certificates": list(ended.certificates),
        "report": ended.report_key,
    }


def _list(waiting: list[Plan], *, json: bool) -> None:
    if json:
        terminal.document([_to_json(each) for each in waiting])
    elif waiting:
        terminal.table("Requests that wait for another person", _COLUMNS, map(_row, waiting))
    else:
        terminal.say("no request waits")


def _row(asked: Plan) -> tuple[Any, ...]:
    count, size = _amount(asked)
    return asked.run_id, asked.triggered_by, asked.started_at, count, terminal.size(size), asked.reason


def _to_json(asked: Plan) -> dict[str, Any]:
    count, size = _amount(asked)
    facts = {"request": asked.run_id, "enteredBy": asked.triggered_by, "since": asked.started_at.isoformat()}
    return {**facts, "recordings": count, "storedBytes": size, "reason": asked.reason, "plan": asked.sha256}


def _show(archive: Archive, asked: Plan) -> None:
    """Print what would go, and by which hash it is approved."""
    terminal.table("To be erased", ("part", "size", "SHA-256"), _parts(archive, asked))
    count, size = _amount(asked)
    facts = {"entered by": asked.triggered_by, "since": asked.started_at, "reason": asked.reason}
    sized = {"recordings": count, "size": terminal.size(size)}
    terminal.facts(f"Request {asked.run_id}", facts | sized | {"plan": asked.sha256})


def _parts(archive: Archive, asked: Plan) -> Iterator[tuple[Any, ...]]:
    from recording_archive.catalog.rows import part_of
    from recording_archive.catalog.tables import dispositions
    from recording_archive.disposition.plan_table import LOOK, rows_of

    for page in rows_of(archive, asked.run_id, dispositions.c.action != LOOK):
        yield from ((part_of(row), terminal.size(row.stored_bytes or 0), row.sha256 or "not stored") for row in page)


def _agreed(asked: Plan) -> str | None:
    """Ask who sits at a terminal; return the hash of what they saw."""
    if not sys.stdin.isatty():
        return None
    count, _ = _amount(asked)
    return asked.sha256 if typer.confirm(f"Erase {count} recordings for good?", err=True) else None


def _amount(asked: Plan) -> tuple[int, int]:
    return asked.counts["erase"], asked.sizes["erase"]
