"""`recording-archive` run in this process, with the settings of the test in the environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from recording_archive.cli import app
from recording_archive.settings import Settings, read_settings


class Output(NamedTuple):
    """The exit code of a command, and what it printed."""

    code: int
    out: str
    err: str


Command = Callable[..., Output]


def configure(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put settings into the environment, where commands read them."""
    for name in ("url", "catalog_url", "staging_url"):
        monkeypatch.setenv(f"RECORDING_ARCHIVE_{name.upper()}", getattr(settings, name))
    read_settings.cache_clear()


def run_command(capsys: pytest.CaptureFixture[str], *arguments: str) -> Output:
    """Run one command to its end."""
    with pytest.raises(SystemExit) as ended:
        app.main(list(arguments))
    return Output(int(ended.value.code or 0), *capsys.readouterr())
