"""The question to the person who must approve a plan: recordings, sizes, dates, queues, rules, and the plan's hash.

It is read from the catalog when it is put, so that it can only be about the plan that would be carried out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import func, select

from recording_archive.archive import Archive
from recording_archive.catalog.rows import same_part
from recording_archive.catalog.tables import dispositions, recordings
from recording_archive.disposition.erasure_doubts import noted_doubts
from recording_archive.disposition.plan_table import Plan, read_plan
from recording_archive.errors import PermanentError

_WORDS = {
    "quarantine": "to quarantine",
    "purge": "to delete for good",
    "erase": "to erase for good",
    "restore": "back from quarantine",
}
_LET_GO = ("quarantine", "purge", "erase")
_RULES = 20  # named one by one
_QUEUES = 8


@dataclass(frozen=True, slots=True)
class Question:
    """Subject and body in Markdown; an answer to it is about the plan of this hash and about no other.

    ``approved`` says that it was answered with yes before, which need not be asked twice.
    """

    plan_sha256: str
    approved: bool
    subject: str
    body: str


def question(archive: Archive, run_id: str, *, link: str | None = None) -> Question:
    """Word the question about the plan of a run; ``link`` leads to the page that lists its recordings.

    Raise PermanentError for a plan that was refused already: a no is not asked again.
    """
    plan = read_plan(archive, run_id)
    if plan is None or plan.sha256 is None:
        raise PermanentError(f"Run {run_id} has no finished plan to approve: trigger a new run")
    if plan.problem:
        raise PermanentError(f"The plan of run {run_id} is not put to approval: {plan.problem}")
    lines = [
        *_facts(plan),
        *_approvers(archive.settings.approvers),
        "",
        *_amounts(plan),
        "",
        *_calls(archive, plan),
        *_caps(plan),
        *_by_rule(archive, plan),
        *_doubts(archive, plan),
        *_look(plan, link),
    ]
    return Question(plan.sha256, plan.approved_by is not None, _subject(plan), "\n".join(lines))


def _subject(plan: Plan) -> str:
    counts = ((plan.counts[action], words) for action, words in _WORDS.items())
    parts = [f"{count:,} recording{'s' * (count != 1)} {words}" for count, words in counts if count]
    return f"Approve: {', '.join(parts) or 'nothing to do'}?"


def _facts(plan: Plan) -> Iterator[str]:
    who = f"{_code(plan.triggered_by)}, who cannot approve it" if plan.triggered_by else "the schedule"
    yield f"Run {_code(plan.run_id)} was started by {who}. It decides as of {plan.as_of:%Y-%m-%d %H:%M} UTC."
    if plan.reason:
        yield f"Reason: {_code(plan.reason)}."


def _approvers(named: str) -> Iterator[str]:
    if named.strip():
        yield f"It may be approved by {_code(named)}."


def _amounts(plan: Plan) -> Iterator[str]:
    yield "| | Recordings | Size |"
    yield "|---|--:|--:|"
    for action, words in _WORDS.items():
        if plan.counts[action]:
            yield f"| {words} | {plan.counts[action]:,} | {plan.sizes[action] / 1e6:,.1f} MB |"
    for why, count in sorted(plan.kept.items()):
        yield f"| kept: {why.replace('_', ' ')} | {count:,} | |"


def _calls(archive: Archive, plan: Plan) -> Iterator[str]:
    """Say of when the recordings are that go, and of which queues."""
    date, queue, count = recordings.c.interaction_date, recordings.c.queue_name, func.count()
    goes = (dispositions.c.run_id == plan.run_id, dispositions.c.action.in_(_LET_GO))
    joined = recordings.join(dispositions, same_part(recordings, dispositions))
    by_queue = select(queue, count).select_from(joined).where(*goes).group_by(queue).order_by(count.desc(), queue)
    with archive.catalog.read() as connection:
        oldest, newest = connection.execute(
            select(func.min(date), func.max(date)).select_from(joined).where(*goes)
        ).one()
        queues = connection.execute(by_queue.limit(_QUEUES + 1)).all()
    if oldest:
        yield f"The oldest call that goes is of {oldest:%Y-%m-%d}, the newest of {newest:%Y-%m-%d} (UTC)."
        yield ""
    if queues:
        named = [f"{_code(name) if name else 'none'} {number:,}" for name, number in queues[:_QUEUES]]
        yield f"By queue: {', '.join(named)}{', and more' * (len(queues) > _QUEUES)}."
        yield ""


def _caps(plan: Plan) -> Iterator[str]:
    """Say why approval is needed."""
    yield "It needs approval because of:"
    yield ""
    yield from (f"- {cap}" for cap in plan.caps)
    yield ""


def _by_rule(archive: Archive, plan: Plan) -> Iterator[str]:
    """Count the recordings that each rule lets go, the most first."""
    rule, action, count = dispositions.c.rule, dispositions.c.action, func.count()
    mine = select(rule, action, count).where(dispositions.c.run_id == plan.run_id, rule.is_not(None))
    with archive.catalog.read() as connection:
        found = connection.execute(mine.group_by(rule, action).order_by(count.desc(), rule).limit(_RULES + 1)).all()
    if plan.policy is None or not found:
        return
    yield f"By rule of policy {_code(plan.policy)}:"
    yield ""
    yield from (f"- {_code(name)}: {number:,} {_WORDS[what]}" for name, what, number in found[:_RULES])
    if len(found) > _RULES:
        yield "- … and more"
    yield ""


def _doubts(archive: Archive, plan: Plan) -> Iterator[str]:
    if count := len(noted_doubts(archive, plan.run_id)):
        may = (
            "1 recording that may be meant, and is"
            if count == 1
            else f"{count:,} recordings that may be meant, and are"
        )
        yield f"Look at these: {may} not erased."
        yield ""


def _look(plan: Plan, link: str | None) -> Iterator[str]:
    where = f"[the plan's page]({link})" if link else "the plan's page in *Recordings*, *Retention*"
    yield f"Each recording is listed on {where}."
    yield ""
    yield f"Plan {_code(plan.sha256)}. Your approval counts for this plan alone; without an answer nothing is done."


def _code(text: str | None) -> str:
    """Show text that a user wrote, without any meaning in Markdown."""
    plain = re.sub(r"[`\s]+", " ", text or "").strip()
    return f"`{plain}`"
