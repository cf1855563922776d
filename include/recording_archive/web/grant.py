"""``python -m recording_archive.web.grant ROLE [--decide]``: let a role of the FAB auth manager listen, or decide.

FAB's own commands refuse a view that none of its pages has made; so this makes it.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from recording_archive.errors import ArchiveError
from recording_archive.web.access import DECIDE_DAG, READ_DAG, VIEW, grant

LISTEN = (
    ("can_read", VIEW),
    ("can_read", f"DAG:{READ_DAG}"),
    ("can_read", "Website"),
    ("can_read", "Plugins"),  # without it Airflow's page has no entry for a plugin's
)
DECIDE = (("can_edit", VIEW), ("can_edit", f"DAG:{DECIDE_DAG}"))


def main(
    role: Annotated[str, typer.Argument(help="A role of the FAB auth manager; made when it is not there.")],
    *,
    decide: Annotated[
        bool, typer.Option("--decide", help="May hold, release, restore and acknowledge as well.")
    ] = False,
) -> None:
    """Let ROLE search, listen and fetch, through the view Recordings and the DAG archive_recordings."""
    wanted = LISTEN + (DECIDE if decide else ())
    try:
        grant(role, wanted)
    except ArchiveError as error:
        typer.echo(str(error), err=True)
        sys.exit(1)
    typer.echo(f"Role {role}: {', '.join(f'{action} on {resource}' for action, resource in wanted)}")


if __name__ == "__main__":
    typer.run(main)
