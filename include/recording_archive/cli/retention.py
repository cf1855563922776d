"""`recording-archive retention`: the policy in force, another one put to use, and what either will do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recording_archive.cli import terminal
from recording_archive.cli.basics import Json, opened_archive, user
from recording_archive.retention.forecast_figures import total

if TYPE_CHECKING:
    from recording_archive.archive import Archive
    from recording_archive.retention.forecast_figures import Amount, ByRule, Forecast, Outlook
    from recording_archive.retention.rules import Policy, Rule

# ruff: noqa: PLC0415 - `recording-archive --help` must not wait for SQLAlchemy, let alone for Airflow

app = typer.Typer(help="Ask and change how long recordings are kept.", no_args_is_help=True)


@app.command()
def show(json: Json = False) -> None:
    """Print the policy in force.

    Its days and rules, its version, and where it lies.
    """
    from recording_archive.retention.policy_in_force import in_force

    with opened_archive() as archive:
        policy = in_force(archive)
        lies = _where(archive, policy)
    if json:
        terminal.document(policy.to_json())
        return
    terminal.facts(
        f"Policy {policy.name}", {"version": policy.version, "lies": lies, "default days": policy.default_days}
    )
    if policy.rules:
        rows = ((rule.name, rule.days, "maximum" if rule.maximum else "", _asked(rule)) for rule in policy.rules)
        terminal.table("Rules", ("rule", "days", "", "recordings with"), rows)


@app.command()
def adopt(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Policy in YAML or JSON.")], json: Json = False
) -> None:
    """Put a policy to use.

    It is kept in the archive for good, with the name of who did it. See `forecast --policy` first.
    """
    from recording_archive.retention import policy_in_force

    content = policy_in_force.read_file(file)
    with opened_archive() as archive:
        before = policy_in_force.newest(archive.store)
        policy = policy_in_force.adopt(archive, content, str(file), actor=user())
        lies = _where(archive, policy)
    new = policy.origin != before
    if json:
        terminal.document({"adopted": new, **policy.to_json()})
    else:
        terminal.say(f"{'adopted' if new else 'in force already'}: {policy.name}, version {policy.version}, {lies}")


@app.command()
def forecast(
    policy: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Compare with this policy, which is not put to use.")
    ] = None,
    months: Annotated[int, typer.Option(min=1, max=1200, help="Months to look ahead.")] = 24,
    json: Json = False,
) -> None:
    """Print what will expire when, by month and rule.

    With a policy of your own: also what that one would do instead, month by month and at once.
    """
    from recording_archive.retention import policy_in_force
    from recording_archive.retention.forecast import forecast as look_ahead

    proposed = policy_in_force.read_policy(policy_in_force.read_file(policy), str(policy)) if policy else None
    with opened_archive() as archive:
        found = look_ahead(archive, proposed, months=months)
    if json:
        terminal.document(found.to_json())
    elif found.proposed:
        _print_difference(found, found.proposed)
    else:
        _print_outlook(found)


def _where(archive: Archive, policy: Policy) -> str:
    return f"{archive.store}/{policy.origin}" if policy.origin.startswith("policies/") else policy.origin


def _asked(rule: Rule) -> str:
    fields = rule.to_json()
    fields |= fields.pop("attributes", {})
    lists = {name: values for name, values in fields.items() if isinstance(values, list)}
    return "; ".join(f"{name}: {', '.join(values)}" for name, values in lists.items())


def _print_outlook(found: Forecast) -> None:
    """Print when recordings expire by which rule, and which stay although they have expired or cannot expire."""
    terminal.say(f"{_named(found.in_force)}, as of {found.as_of:%Y-%m-%d %H:%M} UTC")
    terminal.table("Expires", ("when", "rule", "recordings", "size"), _expiring(found.in_force))
    _print_rest(found, found.in_force)


def _print_difference(found: Forecast, proposed: Outlook) -> None:
    """Print the forecast under both policies, and the changes on the day the proposed one is put to use."""
    terminal.say(f"{_named(proposed)}, compared with {_named(found.in_force)}, as of {found.as_of:%Y-%m-%d %H:%M} UTC")
    columns = ("in force", "proposed", "difference")
    rows = list(_differences(found.in_force, proposed))
    terminal.table("Recordings that expire", ("when", *columns), [(when, *counts) for when, counts, _ in rows])
    terminal.table("Size of these", ("when", *columns), [(when, *map(terminal.size, sizes)) for when, _, sizes in rows])
    terminal.say(f"At once: {_counted(total(proposed.due))}, of which {_counted(found.sooner)} by this policy alone")
    terminal.say(f"Not any more: {_counted(found.spared)} that would go under the policy in force")
    _print_rest(found, proposed)


def _print_rest(found: Forecast, outlook: Outlook) -> None:
    kept = {
        "expired, held": outlook.held,
        "expired, possibly held": outlook.possibly_held,
        "expired, possibly under a longer rule": outlook.possibly_longer,
        "expired, not found intact": outlook.unverified,
        "expired, restored lately": outlook.restored,
        "without a date": outlook.undated,
        "in quarantine": outlook.quarantined,
        "in quarantine, not expired": outlook.restorable,
    }
    rows = [(why, each.recordings, terminal.size(each.stored_bytes)) for why, each in kept.items() if each.recordings]
    if rows:
        terminal.table("Besides", ("why", "recordings", "size"), rows)
    for name in outlook.idle_rules:
        terminal.say(f"Rule {name} governs nothing that lies in the archive: are its values those of the source?")
    terminal.say(f"What has expired goes into quarantine, and is purged after {found.quarantine_days} days there")


def _expiring(outlook: Outlook) -> Iterator[tuple[str, str, int, str]]:
    for when, by_rule in _times(outlook).items():
        for rule, amount in by_rule.items():
            yield when, rule, amount.recordings, terminal.size(amount.stored_bytes)


def _differences(before: Outlook, after: Outlook) -> Iterator[tuple[str, Sequence[int], Sequence[int]]]:
    """Counts and bytes before, after and their difference, for the times when anything expires."""
    later = _times(after)
    for when, by_rule in _times(before).items():
        old, new = total(by_rule), total(later[when])
        if old.recordings or new.recordings:
            counts, sizes = zip(*((each.recordings, each.stored_bytes) for each in (old, new)), strict=True)
            yield when, (*counts, counts[1] - counts[0]), (*sizes, sizes[1] - sizes[0])


def _times(outlook: Outlook) -> dict[str, ByRule]:
    months = {each.month: each.expiring for each in outlook.months}
    return {"at once": outlook.due, **months, "later": outlook.beyond}


def _named(outlook: Outlook) -> str:
    return f"Policy {outlook.policy.name} ({outlook.policy.version})"


def _counted(amount: Amount) -> str:
    return f"{amount.recordings} recordings, {terminal.size(amount.stored_bytes)}"
