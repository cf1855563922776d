"""`recording-archive search` and `list`: find recordings from a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from recording_archive.cli import query, terminal
from recording_archive.cli.basics import Json, exit_bad_if, opened_archive
from recording_archive.errors import ConfigurationError
from recording_archive.model import State

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from recording_archive.archive import Archive

# ruff: noqa: PLC0415 - `recording-archive --help` must not wait for SQLAlchemy, let alone for Airflow

_COLUMNS = ("when", "recording", "agent", "queue", "number", "length", "state")
_WIDTH = 120  # columns of a terminal in which the table has a line for each recording
_Status = Annotated[State | None, typer.Option(help="One state: archived, discovered, quarantined, purged or erased.")]
_Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="WORD", help="Ids, the start of one, a number, or a part of a name."),
]
_Oldest = Annotated[bool, typer.Option("--oldest", help="Begin with the oldest.")]


def search(  # noqa: PLR0917 - the options of a command
    words: _Words = None,
    start: query.Start = None,
    end: query.End = None,
    agent: query.Agent = None,
    queue: query.Queue = None,
    number: query.Number = None,
    contact: query.Contact = None,
    rule: query.Rule = None,
    expires_from: query.ExpiresFrom = None,
    expires_to: query.ExpiresTo = None,
    status: _Status = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Most recordings that are shown.")] = 50,
    oldest: _Oldest = False,
    json: Json = False,
) -> None:
    """Find recordings by words, days and people; all that is given must hold.

    The newest come first. What the archive has never seen is said; exit code 1 when nothing is found.
    """
    from recording_archive.catalog.search import UNREAD
    from recording_archive.catalog.search import search as find
    from recording_archive.catalog.search_ids import account

    wanted = query.Query(start, end, agent, queue, number, contact, rule, expires_from, expires_to)
    with opened_archive() as archive:
        filters = wanted.filters(archive, words=_joined(words), status=status)
        page = find(archive.catalog, filters, limit=limit, oldest=oldest)
        asked = account(archive.catalog, (), filters.text, found=bool(page.rows))
        if page.unread:
            terminal.say(f"warning: {UNREAD}", to_stderr=True)
        if json:
            found = {"recordings": _documents(archive, page.rows), "more": page.next is not None}
            terminal.document({**found, "unknown": list(asked.unknown), "notIds": list(asked.impossible)})
        else:
            _print(page.rows, archive.settings.zone, more=page.next is not None)
            for each in asked.unknown:
                terminal.say(f"{each}: never seen: `recording-archive show {each}` says what that means")
    exit_bad_if(not page.rows)


def list_recordings(  # noqa: PLR0917 - the options of a command
    words: _Words = None,
    start: query.Start = None,
    end: query.End = None,
    agent: query.Agent = None,
    queue: query.Queue = None,
    number: query.Number = None,
    contact: query.Contact = None,
    rule: query.Rule = None,
    expires_from: query.ExpiresFrom = None,
    expires_to: query.ExpiresTo = None,
    status: _Status = None,
    oldest: _Oldest = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV with every column.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON document in each line.")] = False,
) -> None:
    """Print every recording that matches, a line each, however many they are.

    Words and options are those of `search`. Each line has the time, the ids, the agent, the queue, the customer's
    number, the length and the state, separated by tabs.
    """
    from recording_archive.catalog.search import export
    from recording_archive.web.read.list_files import as_csv, as_json_lines
    from recording_archive.web.read.recording_documents import RecordingRow
    from recording_archive.web.read.recording_rows import to_rows

    if csv and json:
        raise ConfigurationError("--csv and --json: give one of them")
    wanted = query.Query(start, end, agent, queue, number, contact, rule, expires_from, expires_to)
    with opened_archive() as archive:
        pages = export(archive.catalog, wanted.filters(archive, words=_joined(words), status=status), oldest=oldest)
        if csv or json:
            documents = (row for page in pages for row in to_rows(archive, page))
            for text in as_csv(RecordingRow, documents) if csv else as_json_lines(documents):
                typer.echo(text, nl=False)
            return
        for page in pages:
            for row in page:
                typer.echo("\t".join(terminal.printable(cell) for cell in _cells(row, archive.settings.zone)))


def _joined(words: list[str] | None) -> str | None:
    """One text as the page's search box takes it: several arguments are several words."""
    return " ".join(words) if words else None


def _print(rows: tuple[Mapping[str, Any], ...], zone: ZoneInfo, *, more: bool) -> None:
    if not rows:
        terminal.say("Nothing found")
        return
    found = f"{len(rows)} {'recording' if len(rows) == 1 else 'recordings'}"
    title = f"{'The first ' if more else ''}{found} ({zone.key})"
    cells = (_cells(row, zone) for row in rows)
    if not terminal.is_narrow(_WIDTH):
        terminal.table(title, _COLUMNS, cells)
        return
    terminal.say(title)
    for when, name, *people, length, state in cells:
        terminal.say(f"{when}  {length:>7}  {' · '.join(filter(None, people))}  ({state})")
        terminal.say(f"  {name}")


def _cells(row: Mapping[str, Any], zone: ZoneInfo) -> tuple[str, ...]:
    from recording_archive.parties.words import without_scheme
    from recording_archive.web.wording import formats

    number = row["dnis"] if row["direction"] == "outbound" else row["ani"]
    names = (row["agent_name"] or row["agent_id"], row["queue_name"] or row["queue_id"], without_scheme(number or ""))
    length = formats.duration(row["duration_ms"])
    return _when(row, zone), _ids(row), *(name or "" for name in names), length, str(row["state"])


def _when(row: Mapping[str, Any], zone: ZoneInfo) -> str:
    """The local time of a recording; of an erased one the day, which alone is known."""
    from recording_archive.model import known_date

    known: Any = known_date(row["state"], row["interaction_date"])
    if known is None:
        return ""
    moment: datetime | None = known.astimezone(zone) if hasattr(known, "astimezone") else None
    return f"{moment:%Y-%m-%d %H:%M}" if moment else str(known)


def _ids(row: Mapping[str, Any]) -> str:
    """The interaction's id, and what tells the recording from the others of it where there may be some."""
    recording = f"~{row['recording_id']}" if row["recording_id"] != row["interaction_id"] or row["part"] else ""
    return f"{row['interaction_id']}{recording}{'~' + str(row['part']) if row['part'] else ''}"


def _documents(archive: Archive, rows: tuple[Mapping[str, Any], ...]) -> list[dict[str, Any]]:
    from recording_archive.web.read.recording_rows import to_rows

    return [row.model_dump(mode="json", by_alias=True) for row in to_rows(archive, rows)]
