"""`recording-archive`: check, verify, rebuild and ask the archive from a shell.

Exit codes: 0 all is well, 1 something is bad or failed, 2 it could not be done (configuration, access, usage). What is
slow to import is imported by the command that needs it.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recording_archive.cli import dispositions, holds, ledger, retention, terminal
from recording_archive.cli.basics import BAD, IMPOSSIBLE, Json, exit_bad_if, opened_archive, user
from recording_archive.errors import ArchiveError, ConfigurationError

if TYPE_CHECKING:
    from recording_archive.archive import Archive
    from recording_archive.model import PartId

# ruff: noqa: PLC0415 - `recording-archive --help` must not wait for SQLAlchemy, let alone for Airflow

app = typer.Typer(
    name="recording-archive",
    help="Check, verify, rebuild and ask the recording archive.",
    epilog="Exit codes: 0 all is well, 1 something is bad or failed, 2 it could not be done.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # its help pages cost a third of a second
)
app.add_typer(holds.app, name="hold")
app.add_typer(retention.app, name="retention")
app.command()(ledger.verify_ledger)
app.command()(dispositions.restore)
app.command()(dispositions.erase)


def main(arguments: list[str] | None = None) -> None:
    """Run a command; an expected error is one line that names the remedy, and exit code 2."""
    try:
        app(arguments, prog_name="recording-archive")
    except ArchiveError as error:
        terminal.say(f"recording-archive: {error}", to_stderr=True)
        sys.exit(IMPOSSIBLE)


@app.command()
def check(json: Json = False) -> None:
    """Try everything a run needs; say how to mend what fails.

    Settings, storage, staging, catalog, archive id, connection, token with its scopes, and media hosts.
    """
    from recording_archive.cli.check import ProbeStatus
    from recording_archive.cli.check import check as probe

    colours = {
        ProbeStatus.OK: typer.colors.GREEN,
        ProbeStatus.FAILED: typer.colors.RED,
        ProbeStatus.SKIPPED: typer.colors.YELLOW,
    }
    findings = []
    for finding in probe():
        findings.append(finding)
        if not json:
            mark = typer.style(f"{finding.verdict:<8}", fg=colours[finding.verdict])
            typer.echo(f"{mark}{finding.probe:<12} {terminal.printable(finding.detail)}")
    if json:
        terminal.document([{"probe": f.probe, "verdict": f.verdict, "detail": f.detail} for f in findings])
    exit_bad_if(any(finding.verdict is ProbeStatus.FAILED for finding in findings))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False)
def sandbox(context: typer.Context) -> None:
    """Serve a Genesys Cloud stand-in until Ctrl-C."""
    from genesys_sandbox.__main__ import main as serve

    serve(context.args)


@app.command()
def verify(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Interactions to verify.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Verify the whole archive, and look for stray files.")
    ] = False,
    json: Json = False,
) -> None:
    """Re-read archived recordings; name what is bad.

    Every byte is compared with what catalog and sidecar say of it, and the result is written down.
    """
    from recording_archive.fixity import verify as fixity
    from recording_archive.fixity.strays import find_strays

    if bool(ids) is everything:
        raise ConfigurationError("Name the interactions to verify, or give --all for the whole archive")
    bad: list[dict[str, Any]] = []
    warnings: list[dict[str, Any]] = []
    with opened_archive() as archive:
        total = fixity.count(archive) if everything else None
        with terminal.progress("verifying", total) as advance:
            number = 0
            for result in fixity.verify(archive, ids):
                advance()
                number += result.key is not None
                if result.problem:
                    bad.append(_bad(result.part, result.key, result.problem, json=json))
            for stray in find_strays(archive) if everything else ():
                if stray.part:
                    bad.append(_bad(stray.part, stray.key, stray.problem, json=json))
                else:
                    warnings.append({"filePath": stray.key, "problem": stray.problem})
    if json:
        terminal.document({"verified": number, "bad": bad, "warnings": warnings})
    else:
        for warning in warnings:
            terminal.say(f"warning: {warning['filePath']}: {warning['problem']}")
        terminal.say(f"{number} recordings verified, {len(bad)} bad")
    exit_bad_if(bool(bad))


@app.command()
def reindex(json: Json = False) -> None:
    """Rebuild the catalog from the archive.

    A catalog that is not empty gets what it lacks; what differs is named and left as it is.
    """
    from recording_archive.recovery.reindex import reindex as rebuild
    from recording_archive.recovery.result import IndexResult
    from recording_archive.settings import read_settings

    counts: Counter[tuple[str, str]] = Counter()
    problems = []
    with terminal.progress("reindexing") as advance:
        for found in rebuild(read_settings()):
            advance()
            counts[found.what, found.result] += 1
            if found.problem:
                problems.append({"filePath": found.key, "problem": found.problem})
                if not json:
                    terminal.say(f"bad: {found.key}: {found.problem}")
    kinds = dict.fromkeys(("ledger", "recordings", "runs", "coverage", "failures", *(what for what, _ in counts)))
    totals = {kind: {result.value: counts[kind, result] for result in IndexResult} for kind in kinds}
    if json:
        terminal.document({**totals, "problems": problems})
    else:
        terminal.table("Catalog", ("", *IndexResult), ([kind, *row.values()] for kind, row in totals.items()))
    exit_bad_if(bool(problems))


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
def reconcile(
    days: Annotated[
        int, typer.Option(min=0, help="Warn of recordings that the source deletes within so many days.")
    ] = 30,
    json: Json = False,
) -> None:
    """Compare the archive with the source's own inventory.

    Names recordings that are not archived, and those that the source deletes soon. Needs the conversations API.
    """
    from datetime import timedelta

    from recording_archive.archiving.reconcile import reconcile as compare
    from recording_archive.cli.check import connect_by_airflow
    from recording_archive.settings import read_settings

    source: Any = connect_by_airflow(read_settings()).source
    if not hasattr(source, "inventory"):
        raise ConfigurationError(
            "The interactions API has no inventory: reconcile needs the connection's api conversations"
        )
    counts: Counter[str] = Counter()
    bad = []
    with opened_archive() as archive:
        for found in compare(archive, source.inventory(), within=timedelta(days=days)):
            counts[found.standing] += 1
            counts["atRisk"] += found.at_risk
            if not found.is_well:
                bad.append(found.to_json())
                if not json:
                    terminal.say(found.told())
    if json:
        terminal.document({"counts": counts, "recordings": bad})
    else:
        terminal.say(
            ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "the source keeps nothing"
        )
    exit_bad_if(bool(bad))


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


def _bad(part: PartId, key: str | None, problem: str, *, json: bool) -> dict[str, Any]:
    """One bad recording as JSON has it; without JSON it is printed as soon as it is found."""
    if not json:
        terminal.say(f"bad: {part if key else part.interaction_id}: {problem}")
    who = {"interactionId": part.interaction_id, "recordingId": part.recording_id, "part": part.part}
    return {**who, "filePath": key, "problem": problem}
