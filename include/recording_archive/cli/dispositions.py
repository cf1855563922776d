"""`recording-archive restore` and `erase`: take a recording out of quarantine; ask to erase what is of a person."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recording_archive.cli import approvals, terminal
from recording_archive.cli.basics import Json, exit_bad_if, opened_archive, user

if TYPE_CHECKING:
    from recording_archive.disposition.erasure import Erasure
    from recording_archive.disposition.erasure_doubts import Doubt
    from recording_archive.disposition.erasure_subject import Found
    from recording_archive.disposition.plan_table import Plan

# ruff: noqa: PLC0415 - `recording-archive --help` must not wait for SQLAlchemy, let alone for Airflow


def restore(
    interaction: Annotated[str, typer.Argument(metavar="ID", help="Interaction id.")],
    reason: Annotated[str, typer.Option(help="Why it is taken back; kept for good.")],
    recording: Annotated[str | None, typer.Option(help="Only this recording of the interaction.")] = None,
    part: Annotated[int | None, typer.Option(help="Only this part, counted from 0.")] = None,
    json: Json = False,
) -> None:
    """Take a recording out of quarantine.

    It is left alone for as long as a quarantine lasts; then it is due again, unless a hold or a policy keeps it.
    """
    from recording_archive.disposition.quarantine import restore as bring_back

    with opened_archive() as archive:
        decisions = bring_back(archive, interaction, reason=reason, actor=user(), recording=recording, part=part)
    done = [str(decision.part) for decision in decisions if not decision.refused]
    refused = [{"part": str(decision.part), "problem": decision.refused} for decision in decisions if decision.refused]
    if not decisions:
        refused = [{"part": interaction, "problem": "no such recording is in the catalog"}]
    if json:
        terminal.document({"restored": done, "refused": refused})
    else:
        for name in done:
            terminal.say(f"restored: {name}")
        for each in refused:
            terminal.say(f"not restored: {each['part']}: {each['problem']}")
    exit_bad_if(not done)


def erase(  # noqa: PLR0917 - options, which are given by name
    reason: Annotated[str, typer.Option(help="Why, without naming the person; kept for good.")],
    numbers: Annotated[list[str] | None, typer.Option("--number", help="Of any party, in any spelling.")] = None,
    contacts: Annotated[list[str] | None, typer.Option("--contact", help="External contact id.")] = None,
    ids: Annotated[list[str] | None, typer.Option("--id", help="Interaction or recording id.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Ask to erase all recordings of a number, contact or id, whatever their age.

    Lists what it found, and enters a request, which another person approves. What is held stays, and is named. What may
    be meant stays as well, and is listed to be looked at.
    """
    from recording_archive.catalog.search_ids import unknown_ids
    from recording_archive.disposition.erasure import erase as carry_out
    from recording_archive.disposition.erasure_doubts import find_doubts
    from recording_archive.disposition.erasure_request import enter
    from recording_archive.disposition.erasure_subject import Subject, find
    from recording_archive.recovery.old_parties import read_old_parties
    from recording_archive.spelling.ids import split_each

    subject = Subject(tuple(numbers or ()), tuple(contacts or ()), tuple(split_each(ids or ())))
    with opened_archive() as archive:
        _, unread = read_old_parties(archive.store, archive.catalog, archive.settings.phone_region)
        found, unmatched = list(find(archive, subject)), unknown_ids(archive.catalog, subject.ids)
        doubts = find_doubts(archive, subject)
        said = _warning(found, doubts, unmatched, unread if subject.numbers or subject.contacts else 0)
        if said:
            terminal.say(f"warning: {said}", to_stderr=True)
        if not json:
            terminal.table("Found", ("part", "state", "date", "kept"), map(_cells, found))
            approvals.tell_doubts(doubts)
        alone = archive.settings.erase_alone
        request, ended = None, None
        if found and (yes or _confirmed(found, alone=alone)):
            if alone:
                ended = carry_out(archive, subject, reason=reason, actor=user())
            else:
                request = enter(archive, subject, reason=reason, actor=user())
    if json:
        answer = {"found": [_to_json(each) for each in found], **approvals.doubts_to_json(doubts)}
        answer |= {"unmatchedIds": unmatched, "warning": said}
        answer |= {"request": request and request.run_id, "plan": request and request.sha256}
        terminal.document(answer | approvals.outcome(ended))
    else:
        _tell(found, request, ended)
    exit_bad_if(request is None and (ended is None or bool(ended.refused)))


def _warning(found: list[Found], doubts: list[Doubt], unmatched: list[str], unread: int) -> str | None:
    """Say what names nothing, and where nobody can tell; None when everything was found."""
    said = []
    if unmatched:
        said.append(f"these ids match nothing: {', '.join(unmatched)}; check their spelling")
    elif doubts and not found:
        said.append("nothing is meant for certain; look at what may be, and name by --id what is")
    elif not found:
        said.append("nothing that is named is in the catalog; check the spelling")
    if unread:
        said.append(
            f"of {unread} recordings nobody can tell who took part, for their sidecars cannot be read: "
            "`recording-archive verify --all` names them"
        )
    return "; ".join(said) or None


def _confirmed(found: list[Found], *, alone: bool) -> bool:
    """Ask who sits at a terminal; nobody else can say yes."""
    if not sys.stdin.isatty():
        return False
    count = sum(each.held is None for each in found)
    what = f"Erase {count} recordings for good?" if alone else f"Enter a request to erase {count} recordings?"
    return typer.confirm(what, err=True)


def _tell(found: list[Found], request: Plan | None, ended: Erasure | None) -> None:
    if not found:
        terminal.say("nothing found, nothing erased")
    elif request:
        terminal.say(f"request: {request.run_id}")
        terminal.say(f"plan: {request.sha256}")
        terminal.say("nothing is erased yet: another person approves it, in the page or by")
        terminal.say(f"  recording-archive approve {request.run_id}")
    elif ended:
        approvals.tell(ended)
    else:
        terminal.say("nothing erased: give --yes, or answer yes on a terminal")


def _cells(found: Found) -> tuple[Any, ...]:
    return found.part, found.state, found.interaction_date, found.held


def _to_json(found: Found) -> dict[str, Any]:
    date = found.interaction_date and found.interaction_date.isoformat()
    return {"part": str(found.part), "state": found.state, "interactionDate": date, "held": found.held}
