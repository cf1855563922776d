"""The command line; start with `main`."""

from __future__ import annotations


def main(arguments: list[str] | None = None) -> None:
    """The entry point: slow imports wait until it is called."""
    from recording_archive.cli.app import main as run  # noqa: PLC0415 - `--help` must not wait for it

    run(arguments)
