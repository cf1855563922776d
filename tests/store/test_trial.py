"""A folder on trial: `recording-archive check` finds what a run would stumble over, and leaves nothing."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from recording_archive.archive import Archive
from recording_archive.cli.check import Connected, check
from recording_archive.cli.findings import ProbeResult, ProbeStatus
from recording_archive.errors import ConfigurationError
from recording_archive.settings import Settings
from support.odd_disks import folding_names, losing_replies, without_links

OK, FAILED = ProbeStatus.OK, ProbeStatus.FAILED


def tried(settings: Settings) -> dict[str, ProbeResult]:
    """The probes of the three places, on a machine that has no connection; they leave everything as it is."""

    def nowhere(_: Settings) -> Connected:
        raise ConfigurationError("no connection")

    before = files_below(settings)
    found = {finding.probe: finding for finding in check(nowhere)}
    assert files_below(settings) == before
    return {name: found[name] for name in ("storage", "staging", "catalog")}


def files_below(settings: Settings) -> set[Path]:
    """Everything that lies there, but for what SQLite makes while it is in use."""
    return {path for path in settings.root.parent.rglob("*") if not path.name.startswith("catalog.db-")}


def verdicts(found: dict[str, ProbeResult]) -> dict[str, ProbeStatus]:
    return {name: finding.verdict for name, finding in found.items()}


def refuse(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, *, folders: bool = False) -> None:
    """Let a call fail as on a file system that does not have it; with ``folders`` for those alone."""
    real = getattr(module, name)

    def refused(file: Any, *arguments: Any) -> Any:
        if folders and not stat.S_ISDIR(os.fstat(file).st_mode):
            return real(file, *arguments)
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(module, name, refused)


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK])
def test_a_root_without_hard_links_fails(configured: Settings, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Before the first run already, whatever number says so; the remedy names file systems, staging is no matter."""
    without_links(monkeypatch, code)
    found = tried(configured)
    assert verdicts(found) == {"storage": FAILED, "staging": OK, "catalog": OK}
    assert "hard links cannot be made" in found["storage"].detail
    assert "such as ext4 or XFS (exFAT" in found["storage"].detail


def test_an_archive_that_moved_to_such_a_disk_fails(archived: Archive, configured: Settings) -> None:
    """A root with recordings is tried as well."""
    archived.catalog.close()
    with pytest.MonkeyPatch.context() as patch:
        without_links(patch, errno.EPERM)
        found = tried(configured)
    assert "hard links cannot be made" in found["storage"].detail
    assert set(verdicts(tried(configured)).values()) == {OK}


def test_links_that_lie_are_told(configured: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost reply passes; a link that copies, or takes the place of another name, does not."""
    with monkeypatch.context() as patch:
        losing_replies(patch)
        assert tried(configured)["storage"].verdict is OK
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", lambda source, name: name.write_bytes(source.read_bytes()))
        assert "not the same file" in tried(configured)["storage"].detail
    link = os.link

    def replacing(source: Any, name: Any) -> None:
        name.unlink(missing_ok=True)
        link(source, name)

    monkeypatch.setattr(os, "link", replacing)
    assert "is given away" in tried(configured)["storage"].detail


def test_folders_that_cannot_be_synced_fail(configured: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run would not call anything archived there."""
    refuse(monkeypatch, os, "fsync", folders=True)
    found = tried(configured)
    assert verdicts(found) == {"storage": FAILED, "staging": FAILED, "catalog": OK}
    assert "folders cannot be synced" in found["storage"].detail


def test_staging_without_locks_is_a_warning(configured: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs work there, and fetch anew what was cut off."""
    refuse(monkeypatch, fcntl, "flock")
    found = tried(configured)
    assert set(verdicts(found).values()) == {OK}
    assert "warning: files cannot be locked here" in found["staging"].detail


def test_a_catalog_without_locks_fails(configured: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite would lose rows there."""
    refuse(monkeypatch, fcntl, "lockf")
    found = tried(configured)
    assert found["catalog"].verdict is FAILED
    assert "which SQLite needs" in found["catalog"].detail


def test_a_root_that_folds_case_is_a_warning(configured: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids of the service differ in more than case; those that do not are told one by one."""
    assert "warning" not in tried(configured)["storage"].detail
    folding_names(monkeypatch)
    found = tried(configured)
    assert (found["storage"].verdict, "warning: names that differ in case" in found["storage"].detail) == (OK, True)
