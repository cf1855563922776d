"""The frame of commands: the opened archive, who runs them, and how they end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

if TYPE_CHECKING:
    from recording_archive.archive import Archive

# ruff: noqa: PLC0415 - `recording-archive --help` must not wait for SQLAlchemy, let alone for Airflow

BAD, IMPOSSIBLE = 1, 2

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@contextmanager
def opened_archive() -> Iterator[Archive]:
    """The archive, which must be there: only runs found one."""
    from recording_archive.archive import open_archive
    from recording_archive.settings import read_settings
    from recording_archive.store.locate import store_at

    settings = read_settings()
    store_at(settings).required_identity(
        "is its volume mounted, and is RECORDING_ARCHIVE_URL right? "
        "A new archive is founded by the first run of archive_recordings"
    )
    archive = open_archive(settings)
    try:
        yield archive
    finally:
        archive.catalog.close()


@contextmanager
def whole_file(out: Path) -> Iterator[BinaryIO]:
    """Open a new file under another name; it gets its own when the block ends well, and is synced by then."""
    from recording_archive.errors import ConfigurationError

    part = out.with_name(f"{out.name}.part")
    if out.exists():
        raise ConfigurationError(f"{out} is there already: name another file with -o")
    try:
        with part.open("xb") as file:
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                part.unlink()
                raise
        part.rename(out)
    except OSError as error:
        raise ConfigurationError(f"{out} cannot be written ({error}): name a file where there is room") from error


def user() -> str:
    """The operating system's name for who runs this; not the environment's, which anyone may set."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user without an entry
        return f"uid {os.getuid()}"


def exit_bad_if(bad: bool) -> None:
    """End with exit code 1 when something is bad."""
    if bad:
        raise typer.Exit(BAD)
