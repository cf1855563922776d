"""`recording-archive hold`: create, list and release legal holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recording_archive.cli import terminal
from recording_archive.cli.basics import Json, opened_archive, user

if TYPE_CHECKING:
    from recording_archive.archive import Archive
    from recording_archive.holds import Effect, Hold

# ruff: noqa: PLC0415 - `recording-archive --help` must not wait for SQLAlchemy, let alone for Airflow

_PAGE = 500
_SHOWN_VALUES = 3

app = typer.Typer(help="Create, list and release legal holds.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def create(  # noqa: PLR0917 - options, which are given by name
    matter: Annotated[str, typer.Option(help="What it is for, such as a case number; kept for good.")],
    reason: Annotated[str, typer.Option(help="Why; kept for good.")],
    ids: Annotated[list[str] | None, typer.Option("--id", help="An interaction or recording. Repeatable.")] = None,
    agents: Annotated[list[str] | None, typer.Option("--agent", help="Id or whole name. Repeatable.")] = None,
    queues: Annotated[list[str] | None, typer.Option("--queue", help="Id or whole name. Repeatable.")] = None,
    numbers: Annotated[list[str] | None, typer.Option("--number", help="Of either party. Repeatable.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="First day, or a date-time.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last day, or a date-time before which it ends.")] = None,
    json: Json = False,
) -> None:
    """Keep recordings whatever their age, also those that arrive later.

    Values of one option are alternatives, different options must all match.
    """
    from recording_archive.holds import Criteria, unmatched_ids, warning
    from recording_archive.holds import create as make
    from recording_archive.locks.of_hold import follow_hold
    from recording_archive.params import read_moment
    from recording_archive.spelling.ids import split_each

    with opened_archive() as archive:
        zone = archive.settings.zone
        first = read_moment("--from", start, zone, end=False) if start is not None else None
        last = read_moment("--to", end, zone, end=True) if end is not None else None
        lists = (tuple(split_each(ids or ())), tuple(agents or ()), tuple(queues or ()), tuple(numbers or ()))
        made, effect = make(archive, matter=matter, reason=reason, criteria=Criteria(*lists, first, last), actor=user())
        unmatched = unmatched_ids(archive, made)
        locked = follow_hold(archive, made)
    if said := warning(made, effect, unmatched):
        terminal.say(f"warning: {said}", to_stderr=True)
    if json:
        found = {"effect": _effect_to_json(effect), "unmatchedIds": unmatched, "warning": said}
        terminal.document(_to_json(made) | found | _locks_to_json(locked))
    else:
        counts = {"legal holds in the bucket": _locked(locked)} if locked else {}
        terminal.facts(f"Hold {made.id} holds from now on", _facts(made) | _effect_facts(effect) | counts)
        if effect.examples:
            terminal.say(f"for example: {', '.join(map(str, effect.examples))}")


@app.command("list")
def list_holds(
    everything: Annotated[bool, typer.Option("--all", help="Released ones as well.")] = False,
    json: Json = False,
) -> None:
    """Print the holds, newest first."""
    with opened_archive() as archive:
        found = _pages(archive, active=not everything)
        if json:
            terminal.document([_to_json(hold) for hold in found])
            return
        columns = ("hold", "matter", "owner", "since", "what", *(["released", "by"] if everything else []))
        terminal.table("Holds", columns, (_cells(hold, everything=everything) for hold in found))


@app.command()
def release(
    hold: Annotated[str, typer.Argument(metavar="HOLD", help="The hold's id.")],
    reason: Annotated[str, typer.Option(help="Why it ends; kept for good.")],
    json: Json = False,
) -> None:
    """End a hold.

    What no other hold holds is subject to the retention policy again.
    """
    from recording_archive.holds import release as end
    from recording_archive.locks.of_hold import follow_hold

    with opened_archive() as archive:
        ended = end(archive, hold, reason=reason, actor=user())
        locked = follow_hold(archive, ended)
    if json:
        terminal.document(_to_json(ended) | _locks_to_json(locked))
    else:
        terminal.say(f"released: {ended.id} ({ended.matter})")
        if locked:
            terminal.say(f"legal holds in the bucket: {_locked(locked)}")


def _locks_to_json(counts: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"locks": counts} if counts else {}


def _locked(counts: Mapping[str, Any]) -> str:
    """Put into words what became of the locks of a hold's recordings."""
    rest = f"; the next run of verify_archive goes on: {counts['problems'][0]}" if counts["problems"] else ""
    return f"{counts['held']} set, {counts['released']} cleared, {counts['behind']} behind{rest}"


def _pages(archive: Archive, *, active: bool) -> Iterator[Hold]:
    from recording_archive.holds import find

    last: Hold | None = None
    while page := find(archive, active=active, limit=_PAGE, after=last):
        yield from page
        last = page[-1]


def _facts(hold: Hold) -> dict[str, Any]:
    return {
        "matter": hold.matter,
        "reason": hold.reason,
        "owner": hold.owner,
        "created": hold.created_at,
        **dict(_wanted(hold)),
    }


def _effect_facts(effect: Effect) -> dict[str, Any]:
    return {"held now": effect.held, "possibly held": effect.possibly_held, "already deleted": effect.purged}


def _wanted(hold: Hold) -> Iterator[tuple[str, str]]:
    """Put the criteria of a hold into words, long lists cut."""
    wanted = hold.criteria
    for name in ("interaction_ids", "agents", "queues", "numbers"):
        if values := getattr(wanted, name):
            more = f" and {len(values) - _SHOWN_VALUES} more" if len(values) > _SHOWN_VALUES else ""
            yield name.replace("_", " "), " or ".join(values[:_SHOWN_VALUES]) + more
    if wanted.start:
        yield "from", wanted.start.isoformat(" ", "seconds")
    if wanted.end:
        yield "before", wanted.end.isoformat(" ", "seconds")


def _cells(hold: Hold, *, everything: bool) -> tuple[Any, ...]:
    what = "; ".join(f"{name} {value}" for name, value in _wanted(hold))
    ended = (hold.released_at, hold.released_by) if everything else ()
    return hold.id, hold.matter, hold.owner, hold.created_at, what, *ended


def _to_json(hold: Hold) -> dict[str, Any]:
    """A hold as the REST API has it."""
    return {
        "id": hold.id,
        "matter": hold.matter,
        "reason": hold.reason,
        "owner": hold.owner,
        "createdAt": hold.created_at.isoformat(),
        **hold.criteria.to_json(),
        "releasedAt": hold.released_at and hold.released_at.isoformat(),
        "releasedBy": hold.released_by,
        "releaseReason": hold.release_reason,
    }


def _effect_to_json(effect: Effect) -> dict[str, Any]:
    names = ("interactionId", "recordingId", "part")
    examples = [dict(zip(names, part, strict=True)) for part in effect.examples]
    return {
        "held": effect.held,
        "possiblyHeld": effect.possibly_held,
        "purged": effect.purged,
        "examples": examples,
    }
