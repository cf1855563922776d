"""Users of the demo, addresses to look at, and the file that makes commands work in another terminal."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from genesys_sandbox.airflow import USER, Airflow
from genesys_sandbox.demo.screen import console

MANAGER, LISTENER = "records-manager", "listener"
USERS: Mapping[str, str] = {USER: "admin", MANAGER: "user", LISTENER: "viewer"}
"""Names with their roles in Airflow's simple auth manager, which knows no finer ones."""
_MAY = {
    USER: "everything in Airflow",
    MANAGER: "hold, release, restore, approve; search and listen",
    LISTENER: "search and listen, decide nothing",
}
_PREFIXES = ("AIRFLOW", "RECORDING_ARCHIVE_")


class Link(NamedTuple):
    """A page below Airflow's address, and what is to be seen there."""

    what: str
    path: str


PAGES = (
    Link("search and listen", "archive/"),
    Link("what needs you, coverage", "archive/overview"),
    Link("reports of runs", "archive/runs"),
    Link("all of it inside Airflow", "plugin/recordings"),
)


def show_links(airflow: Airflow, links: Sequence[Link]) -> None:
    """Print addresses that open where somebody is signed in."""
    width = max(len(link.what) for link in links)
    for link in links:
        console.print(f"  {link.what:<{width}}  {airflow.url}/{link.path}")


def show_logins(airflow: Airflow) -> None:
    """Print name, password and what each may do."""
    console.print(f"\nSign in at [bold]{airflow.url}[/] as one of")
    for name in USERS:
        console.print(f"  {name:<15}  {airflow.passwords[name]:<16}  {_MAY[name]}")


def write_env(file: Path, environment: Mapping[str, str]) -> None:
    """Write a file for ``source``: the demo's settings, and the folder of its commands; its owner alone may read it."""
    given = {name: value for name, value in sorted(environment.items()) if name.startswith(_PREFIXES)}
    lines = [f"export {name}={shlex.quote(value)}" for name, value in given.items()]
    folder = environment["PATH"].partition(os.pathsep)[0]
    lines.append(f'export PATH={shlex.quote(folder)}:"$PATH"')
    file.touch(mode=0o600)
    file.write_text("\n".join(lines) + "\n")


def show_commands(file: Path, commands: Sequence[str]) -> None:
    """Print what can be typed in another terminal, as it stands."""
    near = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
    console.print("\nIn another terminal, in this folder")
    for line in (f"source {shlex.quote(str(near))}", *commands):
        console.print(f"  {line}")
