"""`recording-archive verify` and `reindex`: re-read recordings, and rebuild the catalog from the archive."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recording_archive.cli import terminal
from recording_archive.cli.basics import Json, exit_bad_if, opened_archive
from recording_archive.errors import ConfigurationError

if TYPE_CHECKING:
    from recording_archive.model import PartId

# ruff: noqa: PLC0415 - `recording-archive --help` must not wait for SQLAlchemy, let alone for Airflow


def verify(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Interactions to verify.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Verify the whole archive, its ledger's segments, and look for stray files.")
    ] = False,
    json: Json = False,
) -> None:
    """Re-read archived recordings; name what is bad.

    Every byte is compared with what catalog and sidecar say of it, and the result is written down.
    """
    from recording_archive.fixity import verify as fixity
    from recording_archive.fixity.strays import find_strays
    from recording_archive.ledger.segments import lost_segments
    from recording_archive.spelling.ids import split_each

    if bool(ids) is everything:
        raise ConfigurationError("Name the interactions to verify, or give --all for the whole archive")
    bad: list[dict[str, Any]] = []
    warnings: list[dict[str, Any]] = []
    with opened_archive() as archive:
        total = fixity.count(archive) if everything else None
        with terminal.progress("verifying", total) as advance:
            number = 0
            for result in fixity.verify(archive, split_each(ids) if ids else None):
                advance()
                number += result.key is not None
                if result.problem:
                    bad.append(_bad(result.part, result.key, result.problem, json=json))
            for stray in find_strays(archive) if everything else ():
                if stray.part:
                    bad.append(_bad(stray.part, stray.key, stray.problem, json=json))
                else:
                    warnings.append({"filePath": stray.key, "problem": stray.problem})
            for key, problem in lost_segments(archive) if everything else ():
                bad.append(_bad(None, key, problem, json=json))
    if json:
        terminal.document({"verified": number, "bad": bad, "warnings": warnings})
    else:
        for warning in warnings:
            terminal.say(f"warning: {warning['filePath']}: {warning['problem']}")
        terminal.say(f"{number} recordings verified, {len(bad)} bad")
    exit_bad_if(bool(bad))


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


def _bad(part: PartId | None, key: str | None, problem: str, *, json: bool) -> dict[str, Any]:
    """One bad recording or segment as JSON has it; without JSON it is printed as soon as it is found."""
    if not json:
        place = key if part is None else part if key else part.interaction_id
        terminal.say(f"bad: {place}: {problem}")
    interaction, recording, number = part or (None, None, None)
    who = {"interactionId": interaction, "recordingId": recording, "part": number}
    return {**who, "filePath": key, "problem": problem}
