"""`recording-archive`: check, verify, rebuild and ask the archive from a shell.

Exit codes: 0 all is well, 1 something is bad or failed, 2 it could not be done (configuration, access, usage). What is
slow to import is imported by the command that needs it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from recording_archive.cli import (
    access,
    approvals,
    dispositions,
    documents,
    evidence,
    find,
    get,
    holds,
    integrity,
    keys,
    ledger,
    records,
    retention,
    terminal,
    trial,
)
from recording_archive.cli.basics import IMPOSSIBLE, Json, exit_bad_if
from recording_archive.cli.help import Group
from recording_archive.errors import ArchiveError, ConfigurationError

# ruff: noqa: PLC0415 - `recording-archive --help` must not wait for SQLAlchemy, let alone for Airflow

app = typer.Typer(
    name="recording-archive",
    cls=Group,
    help="Check, verify, rebuild and ask the recording archive.",
    epilog="Exit codes: 0 all is well, 1 something is bad or failed, 2 it could not be done.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # its help pages cost a third of a second
)
app.add_typer(holds.app, cls=Group, name="hold")
app.add_typer(keys.app, cls=Group, name="keys")
app.add_typer(access.app, cls=Group, name="access")
app.add_typer(retention.app, cls=Group, name="retention")
app.command()(ledger.verify_ledger)
app.command()(dispositions.restore)
app.command()(dispositions.erase)
app.command()(approvals.approve)
app.command()(approvals.reject)


def _version(asked: bool) -> None:
    """Print the version of the package, and end."""
    if asked:
        from importlib.metadata import version

        typer.echo(f"recording-archive {version('recording-archive')}")
        raise typer.Exit


@app.callback()
def _whole(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Check, verify, rebuild and ask the recording archive."""


def main(arguments: list[str] | None = None) -> None:
    """Run a command; an expected error is one line that names the remedy, and exit code 2."""
    try:
        app(arguments, prog_name="recording-archive")
    except ArchiveError as error:
        terminal.say(f"recording-archive: {error}", to_stderr=True)
        sys.exit(IMPOSSIBLE)


@app.command()
def check(
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Ask for a recent recording of each kind too, and read 64 KiB of it.")
    ] = False,
    save: Annotated[
        Path | None, typer.Option(help="With --rehearse: write what it told to this file, ids hashed.")
    ] = None,
    json: Json = False,
) -> None:
    """Try everything a run needs; say how to mend what fails.

    Settings, storage, staging, catalog, archive id, connection, network, token with its scopes, and media hosts.
    """
    from recording_archive.cli.check import check as probe
    from recording_archive.cli.findings import ProbeStatus

    if save and not rehearse:
        raise ConfigurationError("--save is for --rehearse")

    colours = {
        ProbeStatus.OK: typer.colors.GREEN,
        ProbeStatus.FAILED: typer.colors.RED,
        ProbeStatus.SKIPPED: typer.colors.YELLOW,
    }
    findings = []
    width = 17 if rehearse else 12
    for finding in probe(rehearse=rehearse, save=save):
        findings.append(finding)
        if not json:
            mark = typer.style(f"{finding.verdict:<8}", fg=colours[finding.verdict])
            typer.echo(f"{mark}{finding.probe:<{width}} {terminal.printable(finding.detail)}")
    if json:
        terminal.document([{"probe": f.probe, "verdict": f.verdict, "detail": f.detail} for f in findings])
    exit_bad_if(any(finding.verdict is ProbeStatus.FAILED for finding in findings))


app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False)(
    trial.sandbox
)
app.command("list")(find.list_recordings)
for _command in (
    trial.demo,
    find.search,
    get.get,
    integrity.verify,
    integrity.reindex,
    documents.take_up,
    evidence.evidence,
    records.report,
    records.show,
    records.acknowledge,
    records.acknowledge_range,
    records.reconcile,
):
    app.command()(_command)
