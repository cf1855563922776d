"""Files of the compliance report, as anybody can check them."""

from __future__ import annotations

import subprocess

from recording_archive.archive import Archive
from support.whole_run import (
    Tasks,
)


def test_a_checksum_that_was_not_given_is_no_valid_one(tasks: Tasks, archive: Archive) -> None:
    """Success, but unavailable instead of valid; where one was given it is valid, in any case of its letters."""
    ended = tasks(archive, "scheduled__1")
    assert ended.report["checksumUnavailable"] == 1
    for recording in tasks.cloud.library:
        entry, given = ended.entries[recording.id], recording.fields["checksum"] is not None
        assert (entry["status"], entry["checksumValid"]) == ("success", given)
        assert entry["sourceChecksum"] == ("matched" if given else "not_given")
        assert entry["expectedSha256"] == (recording.sha256 if given else None)


def test_a_report_can_be_checked_without_our_software(tasks: Tasks, archive: Archive) -> None:
    """``sha256sum -c`` accepts report and manifest, and ``gunzip -c | sha256sum`` gives each entry's hash."""
    ended = tasks(archive, "scheduled__1")
    root = archive.settings.root
    folder = (root / ended.summary.report_key).parent
    shell(f"cd '{folder}' && sha256sum --strict -c compliance_report.sha256")
    manifest = f"manifests/{folder.parts[-3]}/{folder.parts[-2]}.{folder.parts[-1]}/manifest-sha256.txt"
    assert shell(f"cd '{root}' && sha256sum --strict -c {manifest}").count(": OK") == 12
    for entry in ended.report["entries"]:
        assert shell(f"gunzip -c '{root / entry['filePath']}' | sha256sum").split()[0] == entry["sha256"]


def shell(command: str) -> str:
    return subprocess.run(["bash", "-ceuo", "pipefail", command], check=True, capture_output=True, text=True).stdout
