"""`recording-archive report`, `show`, `acknowledge`, `acknowledge-range` and `reconcile`: the record of runs."""

from __future__ import annotations

import shutil
import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recording_archive.cli import terminal
from recording_archive.cli.basics import BAD, Json, exit_bad_if, opened_archive, user
from recording_archive.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recording_archive.archive import Archive
    from recording_archive.archiving.reconcile import Compared

_COMPARED = ("archived", "young", "waiting", "unknown", "atRisk")

# ruff: noqa: PLC0415 - `recording-archive --help` must not wait for SQLAlchemy, let alone for Airflow


def report(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="Run id; the newest report without it.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the stored report as it is.")] = False,
) -> None:
    """Print the compliance report of a run.

    Its counts, its problems, the first failures, and where it lies.
    """
    from recording_archive.cli.printing import print_report
    from recording_archive.reports.reading import read_report

    with opened_archive() as archive:
        stored = read_report(archive.store, _report_key(archive, run))
        if json:
            with archive.store.open(stored.key) as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
        else:
            print_report(archive, stored)
    exit_bad_if(bool(stored.problems))


def show(interaction: Annotated[str, typer.Argument(metavar="ID", help="Interaction id.")], json: Json = False) -> None:
    """Print everything known of an interaction.

    Its parts, what happened to them in order, and what each run did; for one never seen, what that means.
    """
    from recording_archive.catalog.timeline import read_timeline
    from recording_archive.cli.printing import print_timeline

    with opened_archive() as archive:
        found = read_timeline(archive.catalog, interaction)
    if json:
        terminal.document(found.to_json())
    else:
        print_timeline(found)
    exit_bad_if(not found.known)


def acknowledge(
    interaction: Annotated[str, typer.Argument(metavar="ID", help="Interaction id.")],
    reason: Annotated[str, typer.Option(help="Why the failure is accepted; kept for good.")],
    recording: Annotated[str | None, typer.Option(help="Only this recording of the interaction.")] = None,
    part: Annotated[int | None, typer.Option(help="Only this part, counted from 0.")] = None,
    json: Json = False,
) -> None:
    """Accept that a failed recording is not archived.

    No run takes it up again unless the source lists it anew. Name and reason are kept with the decision.
    """
    from recording_archive.archiving.acknowledge import acknowledge as decide

    with opened_archive() as archive:
        decisions = decide(archive, interaction, reason=reason, actor=user(), recording=recording, part=part)
    done = [str(decision.part) for decision in decisions if not decision.refused]
    refused = [{"part": str(decision.part), "problem": decision.refused} for decision in decisions if decision.refused]
    if not decisions:
        refused = [
            {"part": interaction, "problem": "no such recording is in the catalog; see `recording-archive show`"}
        ]
    if json:
        terminal.document({"acknowledged": done, "refused": refused})
    else:
        for name in done:
            terminal.say(f"acknowledged: {name}")
        for each in refused:
            terminal.say(f"nothing to acknowledge: {each['part']}: {each['problem']}")
    exit_bad_if(not done)


def acknowledge_range(
    start: Annotated[str, typer.Argument(metavar="START", help="Date or date-time.")],
    end: Annotated[str, typer.Argument(metavar="END", help="A date is a whole day, a date-time exact.")],
    reason: Annotated[str, typer.Option(help="Why the gap is accepted; kept for good.")],
    json: Json = False,
) -> None:
    """Accept that the source did not list all that it counted in a range.

    The range counts as covered from now on. Name and reason are kept with the decision.
    """
    from recording_archive.archiving.account import acknowledge_gaps
    from recording_archive.model import Window
    from recording_archive.params import read_moment

    with opened_archive() as archive:
        zone = archive.settings.zone
        window = Window(read_moment("START", start, zone, end=False), read_moment("END", end, zone, end=True))
        sources = acknowledge_gaps(archive, window, reason=reason, actor=user())
    if json:
        terminal.document({"acknowledged": sources})
    else:
        for source in sources:
            terminal.say(f"acknowledged: {start} to {end} of {source}")
        if not sources:
            terminal.say(f"nothing to acknowledge: no run left a gap between {start} and {end}")
    exit_bad_if(not sources)


def reconcile(
    days: Annotated[
        int, typer.Option(min=0, help="Warn of recordings that the source deletes within so many days.")
    ] = 30,
    archive: Annotated[
        bool, typer.Option("--archive", help="Let the next scheduled run archive what no run was told of.")
    ] = False,
    json: Json = False,
) -> None:
    """Compare the archive with the source's own inventory.

    Names recordings that are not archived, and those that the source deletes soon. Needs the conversations API.
    """
    from datetime import timedelta

    from recording_archive.archiving import take_in
    from recording_archive.cli.check import connect_by_airflow
    from recording_archive.settings import read_settings

    source: Any = connect_by_airflow(read_settings()).source
    if not hasattr(source, "inventory"):
        raise ConfigurationError(
            "The interactions API has no inventory: reconcile needs the connection's api conversations"
        )
    bad = []

    def tell(found: Compared, taken: bool) -> None:
        if found.is_well or (taken and not found.at_risk):
            return
        bad.append(found.to_json())
        if not json:
            terminal.say(found.in_words() + (", for the next scheduled run" if taken else ""))

    with opened_archive() as opened:
        leave = partial(take_in.leave_to_next_run, at=opened.clock(), actor=user()) if archive else None
        inventory = source.inventory()
        counts = take_in.take_in(opened, source.name, inventory, leave, within=timedelta(days=days), tell=tell)
    shown = {name: count for name, count in counts.items() if count and (archive or name in _COMPARED)}
    if json:
        terminal.document({"counts": shown, "recordings": bad})
    else:
        terminal.say(
            ", ".join(f"{count} {name}" for name, count in sorted(shown.items())) or "the source keeps nothing"
        )
        if archive:
            _print_taken_in(counts)
    exit_bad_if(bool(bad))


def _print_taken_in(counts: Mapping[str, int]) -> None:
    """Say what becomes of the recordings that no run was told of."""
    if counts["takenIn"]:
        terminal.say(f"{counts['takenIn']} left to the next scheduled run of archive_recordings")
    if counts["neverAskedFor"]:
        terminal.say(
            f"{counts['neverAskedFor']} were made at times that no run has asked for: `airflow backfill create "
            "--dag-id archive_recordings` archives a range"
        )


def _report_key(archive: Archive, run: str | None) -> str:
    from sqlalchemy import select

    from recording_archive.catalog.tables import runs

    closed = select(runs.c.report_key).where(runs.c.report_key.is_not(None)).order_by(runs.c.closed_at.desc())
    with archive.catalog.read() as connection:
        key = connection.execute((closed.where(runs.c.run_id == run) if run else closed).limit(1)).scalar()
    if key is None:
        which = f"of run {run}" if run else "yet"
        terminal.say(
            f"There is no report {which}: archive_recordings writes one at the end of each run", to_stderr=True
        )
        raise typer.Exit(BAD)
    return str(key)
