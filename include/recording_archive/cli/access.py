"""`recording-archive access`: the access document in force, another one put to use, and what it means for somebody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recording_archive.cli import terminal
from recording_archive.cli.basics import Json, opened_archive, user
from recording_archive.errors import ConfigurationError

if TYPE_CHECKING:
    from recording_archive.access.rules import Document, Rule, Viewer
    from recording_archive.archive import Archive

# ruff: noqa: PLC0415 - `recording-archive --help` must not wait for SQLAlchemy, let alone for Airflow

app = typer.Typer(help="Ask and change who may see and hear which recordings.", no_args_is_help=True)


@app.command()
def show(json: Json = False) -> None:
    """Print the access document in force.

    Its grants and denials, its version, and where it lies.
    """
    from recording_archive.access.in_force import in_force

    with opened_archive() as archive:
        document = in_force(archive)
        lies = f"{archive.store}/{document.origin}" if document else ""
    if json:
        terminal.document(document.to_json() if document else {})
    elif document is None:
        terminal.say("No access document: who may see recordings by Airflow's permissions may see all of them")
    else:
        terminal.facts(f"Access document {document.name}", {"version": document.version, "lies": lies})
        kinds = {"Grants": document.grants, "Denials": document.denials, "Break-glass": document.break_glass}
        for title, rules in kinds.items():
            if rules:
                terminal.table(title, ("rule", "who", "what", "recordings with"), map(_row, rules))


@app.command()
def adopt(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Access document in YAML or JSON.")], json: Json = False
) -> None:
    """Put an access document to use.

    It is kept in the archive for good, with the name of who did it, and decides from the next request on.
    """
    from recording_archive.access import in_force
    from recording_archive.retention.policy_in_force import read_file

    content = read_file(file)
    with opened_archive() as archive:
        before = max(in_force.adoptions(archive.catalog), default=None)
        document = in_force.adopt(archive, content, str(file), actor=user())
        lies = f"{archive.store}/{document.origin}"
    new = document.origin != before
    if json:
        terminal.document({"adopted": new, **document.to_json()})
    else:
        terminal.say(f"{'adopted' if new else 'in force already'}: {document.name}, version {document.version}, {lies}")


@app.command("open")
def break_glass(
    interaction: Annotated[str, typer.Argument(metavar="ID", help="Interaction to open.")],
    *,
    to: Annotated[str, typer.Option("--for", metavar="USER", help="Who may see and hear it, as Airflow has the name.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept in the ledger for good.")],
    hours: Annotated[int | None, typer.Option(min=1, max=168, help="For how long; the document limits it.")] = None,
    role: Annotated[list[str] | None, typer.Option(help="Role of the user; may be repeated.")] = None,
    json: Json = False,
) -> None:
    """Open an interaction to somebody for a while, as the document's breakGlass rules allow.

    An event in the ledger names both of you, the reason, the recordings and the end.
    """
    from recording_archive.access.in_force import in_force
    from recording_archive.access.openings import open_to
    from recording_archive.access.rules import Viewer

    if not reason.strip():
        raise ConfigurationError("--reason is blank: say why the glass is broken")
    viewer = Viewer(to, frozenset(role or ()))
    with opened_archive() as archive:
        made = open_to(archive, in_force(archive), viewer, interaction, reason=reason, hours=hours, actor=user())
    if json:
        opening = {"interactionId": made.interaction_id, "user": made.user, "by": made.by, "rule": made.rule}
        terminal.document({**opening, "until": made.until.isoformat()})
    else:
        terminal.say(f"{made.interaction_id} is open to {made.user} until {made.until.isoformat(timespec='minutes')}")


@app.command("close")
def close(
    interaction: Annotated[str, typer.Argument(metavar="ID", help="Interaction that is open.")],
    *,
    to: Annotated[str, typer.Option("--for", metavar="USER", help="To whom it is open, as Airflow has the name.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept in the ledger for good.")],
    json: Json = False,
) -> None:
    """End an opening before its time; an event in the ledger names who did, and why."""
    from recording_archive.access.openings import end_opening

    if not reason.strip():
        raise ConfigurationError("--reason is blank: say why the opening ends")
    with opened_archive() as archive:
        ended = end_opening(archive, interaction, user=to, reason=reason, actor=user())
    if json:
        terminal.document([{"interactionId": each.interaction_id, "user": each.user, "by": each.by} for each in ended])
    else:
        terminal.say(f"{interaction} is no longer open to {to}")


@app.command("test")
def try_out(
    who: Annotated[str, typer.Argument(metavar="USER", help="User name, as Airflow has it.")],
    interaction: Annotated[str | None, typer.Argument(metavar="ID", help="Interaction to ask about.")] = None,
    *,
    role: Annotated[list[str] | None, typer.Option(help="Role of the user; may be repeated.")] = None,
    file: Annotated[Path | None, typer.Option("--document", metavar="FILE", help="Ask this document instead.")] = None,
    json: Json = False,
) -> None:
    """Print what somebody may do, with how many recordings.

    With an interaction: what with each recording of it, and which rules say so.
    """
    from recording_archive.access.document import read_document
    from recording_archive.access.in_force import in_force
    from recording_archive.access.rules import Viewer
    from recording_archive.retention.policy_in_force import read_file

    viewer = Viewer(who, frozenset(role or ()))
    with opened_archive() as archive:
        document = read_document(read_file(file), str(file)) if file else in_force(archive)
        answer = (
            _of_interaction(archive, document, viewer, interaction)
            if interaction
            else _of_all(archive, document, viewer)
        )
    if json:
        terminal.document(answer)
    elif interaction:
        columns = ("recording", "part", "may", "granted by", "denied by")
        terminal.table(f"{who} and {interaction}", columns, (_joined(each) for each in answer["recordings"]))
    else:
        rows = ((right, answer["may"][right], answer["recordings"]) for right in answer["may"])
        terminal.table(f"What {who} may do", ("right", "recordings", "of"), rows)


def _of_all(archive: Archive, document: Document | None, viewer: Viewer) -> dict[str, Any]:
    """Count the recordings with which somebody may do something."""
    from sqlalchemy import func, select

    from recording_archive.access.condition import permitted
    from recording_archive.access.rules import Right
    from recording_archive.catalog.tables import recordings
    from recording_archive.catalog.visible import EVERYTHING, only

    count, now = select(func.count()).select_from(recordings), archive.clock()
    with archive.catalog.read() as connection:

        def counted(visible: Any) -> int:
            return int(connection.execute(count.where(*only(connection, visible))).scalar_one())

        may = {right.value: counted(permitted(document, viewer, right, now=now)) for right in Right}
        return {"user": viewer.name, "may": may, "recordings": counted(EVERYTHING)}


def _of_interaction(archive: Archive, document: Document | None, viewer: Viewer, named: str) -> dict[str, Any]:
    """Tell of each recording of an interaction what somebody may do with it, and by which rules."""
    from sqlalchemy import select

    from recording_archive.catalog.rows import is_named, part_key
    from recording_archive.catalog.tables import recordings
    from recording_archive.model import PartId

    with archive.catalog.read() as connection:
        found = [
            PartId(*row) for row in connection.execute(select(*part_key(recordings)).where(is_named(recordings, named)))
        ]
        if not found:
            raise ConfigurationError(f"No recording of {named!r} was ever listed by the source")
        answers = [_of_part(archive, document, viewer, connection, part) for part in found]
    return {"user": viewer.name, "interactionId": named, "recordings": answers}


def _of_part(archive: Archive, document: Document | None, viewer: Viewer, connection: Any, part: Any) -> dict[str, Any]:
    from recording_archive.access.condition import permitted, rules_about
    from recording_archive.access.rules import Right
    from recording_archive.catalog.visible import covers

    now = archive.clock()
    may = [each.value for each in Right if covers(connection, permitted(document, viewer, each, now=now), part)]
    granted, denied = rules_about(connection, document, viewer, part, now) if document else ([], [])
    named = {"recordingId": part.recording_id, "part": part.part}
    return {**named, "may": may, "grantedBy": granted, "deniedBy": denied}


def _row(rule: Rule) -> tuple[str, ...]:
    values = rule.to_json()
    who = [name for key in ("users", "roles") for name in values.pop(key, ())]
    everyone = ["everyone"] if values.pop("everyone", False) else []
    what = ", ".join(values.pop("what"))
    return values.pop("name"), ", ".join([*everyone, *who]), what, "; ".join(_asked(values)) or "all"


def _asked(values: dict[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        yield f"{name}: {', '.join(value) if isinstance(value, list) else value}"


def _joined(answer: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(", ".join(value) or "nothing" if isinstance(value, list) else value for value in answer.values())
