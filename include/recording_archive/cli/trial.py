"""Commands that show the archive at work before there is a Genesys Cloud: a sandbox, and a demo with an Airflow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

# ruff: noqa: PLC0415 - `recording-archive --help` must not wait for them


def sandbox(context: typer.Context) -> None:
    """Serve a Genesys Cloud stand-in until Ctrl-C."""
    from genesys_sandbox.__main__ import main as serve

    serve(context.args)


def demo(
    *,
    full: Annotated[
        bool, typer.Option("--full", help="Also show a failure, damage, a hold, an erasure and a plan that waits.")
    ] = False,
    leave: Annotated[bool, typer.Option("--exit", help="End after the report instead of waiting for Ctrl-C.")] = False,
    port: Annotated[int, typer.Option(help="Port of Airflow; 0 takes a free one.")] = 8080,
    sandbox_port: Annotated[
        int, typer.Option(help="Port of the stand-in for Genesys Cloud; 0 takes a free one.")
    ] = 9080,
    home: Annotated[Path, typer.Option(help="Folder for all that the demo makes.")] = Path(".demo"),
    media_dir: Annotated[Path | None, typer.Option(help="Archive the audio files of this folder instead.")] = None,
) -> None:
    """Archive a sandbox's recordings through an Airflow of its own, and keep both up to look around."""
    from genesys_sandbox.demo import Demo

    raise typer.Exit(Demo(home.absolute(), port, sandbox_port, media_dir=media_dir, full=full, leave=leave).run())
